-- The head that each person was shown last, and those that witnesses have cosigned (server/src/audit/heads.rs).
CREATE TABLE seen_heads (
    person_id TEXT COLLATE "C" PRIMARY KEY REFERENCES people (id),
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE cosigned_heads (
    witness TEXT COLLATE "C" PRIMARY KEY,
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    -- The line that was added to the checkpoint (C2SP tlog-cosignature).
    line TEXT NOT NULL,
    cosigned_at TIMESTAMPTZ NOT NULL,
    heard_at TIMESTAMPTZ NOT NULL
);
-- What a verification came to.
ALTER TABLE report_jobs ADD COLUMN whole BOOLEAN;
