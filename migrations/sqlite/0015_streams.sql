-- How far each live copy of the trail has got, and which replica writes it (server/src/audit/stream.rs).
CREATE TABLE audit_streams (
    name TEXT PRIMARY KEY,
    seq BIGINT NOT NULL,
    moved_at TEXT NOT NULL,
    holder TEXT NOT NULL,
    leased_until TEXT NOT NULL,
    -- Since when it fails, why, and whether that was told.
    failing_since TEXT,
    trouble TEXT,
    told BOOLEAN NOT NULL
);
