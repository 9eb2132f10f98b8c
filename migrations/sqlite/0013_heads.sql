-- The head that each person was shown last, and those that witnesses have cosigned (server/src/audit/heads.rs).
CREATE TABLE seen_heads (
    person_id TEXT PRIMARY KEY REFERENCES people (id),
    size BIGINT NOT NULL,
    root BLOB NOT NULL,
    seen_at TEXT NOT NULL
);
CREATE TABLE cosigned_heads (
    witness TEXT PRIMARY KEY,
    size BIGINT NOT NULL,
    root BLOB NOT NULL,
    -- The line that was added to the checkpoint (C2SP tlog-cosignature).
    line TEXT NOT NULL,
    cosigned_at TEXT NOT NULL,
    heard_at TEXT NOT NULL
);
-- What a verification came to.
ALTER TABLE report_jobs ADD COLUMN whole BOOLEAN;
