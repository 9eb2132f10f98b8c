-- What holds at each protection level, where it is not as it was built in (server/src/levels). Closed, never changed back.
CREATE TABLE levels (
    id TEXT PRIMARY KEY,
    tier TEXT NOT NULL,
    grant_minutes BIGINT NOT NULL,
    signers INTEGER NOT NULL,
    critical_signers INTEGER NOT NULL,
    -- shown, copied or nobody
    reveal TEXT NOT NULL,
    rotate_days BIGINT NOT NULL,
    dead_hours BIGINT NOT NULL,
    token_minutes BIGINT NOT NULL,
    set_by TEXT NOT NULL REFERENCES people (id),
    valid_from TEXT NOT NULL,
    valid_to TEXT,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);
CREATE UNIQUE INDEX levels_current ON levels (tier) WHERE valid_to IS NULL;
CREATE INDEX levels_event ON levels (event_seq);
