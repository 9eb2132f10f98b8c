-- People, teams, roles, links, sessions (server/src/people). Rows that open access carry their event and a seal.
CREATE TABLE people (
    id TEXT PRIMARY KEY,
    login TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT,
    created_at TEXT NOT NULL,
    joined_at TEXT,
    disabled_at TEXT,
    -- Who last made the account or a link for it, and when: the two count as one person for seven days.
    set_up_by TEXT REFERENCES people (id),
    set_up_at TEXT,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);

CREATE TABLE teams (
    id TEXT PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL
);

CREATE TABLE memberships (
    id TEXT PRIMARY KEY,
    team_id TEXT NOT NULL REFERENCES teams (id),
    person_id TEXT NOT NULL REFERENCES people (id),
    valid_from TEXT NOT NULL,
    valid_to TEXT,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);
CREATE INDEX memberships_person ON memberships (person_id);
CREATE INDEX memberships_team ON memberships (team_id);

CREATE TABLE roles (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES people (id),
    -- Absent: in the whole organisation.
    project_id TEXT,
    role TEXT NOT NULL,
    given_by TEXT,
    valid_from TEXT NOT NULL,
    valid_to TEXT,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);
CREATE INDEX roles_person ON roles (person_id);
CREATE INDEX roles_project ON roles (project_id);

-- One-time links: to join, or to set a new password.
CREATE TABLE links (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES people (id),
    kind TEXT NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    created_by TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at TEXT,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);
CREATE INDEX links_person ON links (person_id);

-- What a session may: written by operations, joined on each request.
CREATE TABLE session_bindings (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    person_id TEXT NOT NULL REFERENCES people (id),
    method TEXT NOT NULL,
    agent TEXT,
    address TEXT,
    started_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);
CREATE INDEX session_bindings_person ON session_bindings (person_id);

CREATE TABLE session_touches (
    session_id TEXT PRIMARY KEY,
    seen_at TEXT NOT NULL
);

-- The browser's record before and around a sign-in. It carries no authority.
CREATE TABLE browser_sessions (
    hash BLOB PRIMARY KEY,
    data TEXT NOT NULL,
    expires_at TEXT NOT NULL
);

-- What decisions were made from, by digest, for replaying them.
CREATE TABLE policy_inputs (
    digest TEXT PRIMARY KEY,
    input TEXT NOT NULL,
    kept_at TEXT NOT NULL
);
