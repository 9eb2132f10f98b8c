-- How far each live copy of the trail has got, and which replica writes it (server/src/audit/stream.rs).
CREATE TABLE audit_streams (
    name TEXT COLLATE "C" PRIMARY KEY,
    seq BIGINT NOT NULL,
    moved_at TIMESTAMPTZ NOT NULL,
    holder TEXT COLLATE "C" NOT NULL,
    leased_until TIMESTAMPTZ NOT NULL,
    -- Since when it fails, why, and whether that was told.
    failing_since TIMESTAMPTZ,
    trouble TEXT,
    told BOOLEAN NOT NULL
);
