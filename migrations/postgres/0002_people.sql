-- People, teams, roles, links, sessions (server/src/people). Rows that open access carry their event and a seal.
CREATE TABLE people (
    id TEXT COLLATE "C" PRIMARY KEY,
    login TEXT COLLATE "C" NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    joined_at TIMESTAMPTZ,
    disabled_at TIMESTAMPTZ,
    -- Who last made the account or a link for it, and when: the two count as one person for seven days.
    set_up_by TEXT COLLATE "C" REFERENCES people (id),
    set_up_at TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);

CREATE TABLE teams (
    id TEXT COLLATE "C" PRIMARY KEY,
    slug TEXT COLLATE "C" NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE memberships (
    id TEXT COLLATE "C" PRIMARY KEY,
    team_id TEXT COLLATE "C" NOT NULL REFERENCES teams (id),
    person_id TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    valid_from TIMESTAMPTZ NOT NULL,
    valid_to TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE INDEX memberships_person ON memberships (person_id);
CREATE INDEX memberships_team ON memberships (team_id);

CREATE TABLE roles (
    id TEXT COLLATE "C" PRIMARY KEY,
    person_id TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    -- Absent: in the whole organisation.
    project_id TEXT COLLATE "C",
    role TEXT NOT NULL,
    given_by TEXT COLLATE "C",
    valid_from TIMESTAMPTZ NOT NULL,
    valid_to TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE INDEX roles_person ON roles (person_id);
CREATE INDEX roles_project ON roles (project_id);

-- One-time links: to join, or to set a new password.
CREATE TABLE links (
    id TEXT COLLATE "C" PRIMARY KEY,
    person_id TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    kind TEXT NOT NULL,
    token_hash BYTEA NOT NULL UNIQUE,
    created_by TEXT COLLATE "C",
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE INDEX links_person ON links (person_id);

-- What a session may: written by operations, joined on each request.
CREATE TABLE session_bindings (
    id TEXT COLLATE "C" PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    person_id TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    method TEXT NOT NULL,
    agent TEXT,
    address TEXT,
    started_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE INDEX session_bindings_person ON session_bindings (person_id);

CREATE TABLE session_touches (
    session_id TEXT COLLATE "C" PRIMARY KEY,
    seen_at TIMESTAMPTZ NOT NULL
);

-- The browser's record before and around a sign-in. It carries no authority.
CREATE TABLE browser_sessions (
    hash BYTEA PRIMARY KEY,
    data TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);

-- What decisions were made from, by digest, for replaying them.
CREATE TABLE policy_inputs (
    digest TEXT COLLATE "C" PRIMARY KEY,
    input TEXT NOT NULL,
    kept_at TIMESTAMPTZ NOT NULL
);
