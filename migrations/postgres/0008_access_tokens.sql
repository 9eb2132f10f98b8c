-- What people's own programs sign in with (server/src/people/tokens).
CREATE TABLE access_tokens (
    id TEXT COLLATE "C" PRIMARY KEY,
    person_id TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    -- The session that it was made in.
    session_id TEXT COLLATE "C",
    hash BYTEA NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE INDEX access_tokens_person ON access_tokens (person_id);

-- When each was last used, to the minute.
CREATE TABLE access_token_uses (
    token_id TEXT COLLATE "C" PRIMARY KEY,
    used_at TIMESTAMPTZ NOT NULL
);
