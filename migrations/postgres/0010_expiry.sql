-- Until when a version's credential works by its own date: a certificate's notAfter, a role's VALID UNTIL (server/src/rotations/expiry.rs).
ALTER TABLE secret_versions ADD COLUMN valid_until TIMESTAMPTZ;
-- When to look at a version that has such a date.
CREATE TABLE expiry_looks (
    secret_id TEXT COLLATE "C" NOT NULL REFERENCES secrets (id),
    version INTEGER NOT NULL,
    look_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (secret_id, version)
);
CREATE INDEX expiry_looks_due ON expiry_looks (look_at);
