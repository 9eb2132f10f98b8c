-- What people's own programs sign in with (server/src/people/tokens).
CREATE TABLE access_tokens (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES people (id),
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    -- The session that it was made in.
    session_id TEXT,
    hash BLOB NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);
CREATE INDEX access_tokens_person ON access_tokens (person_id);

-- When each was last used, to the minute.
CREATE TABLE access_token_uses (
    token_id TEXT PRIMARY KEY,
    used_at TEXT NOT NULL
);
