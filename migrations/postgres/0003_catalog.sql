-- Projects, environments, secrets as metadata (server/src/catalog), values and their keys (server/src/vault).
CREATE TABLE projects (
    id TEXT COLLATE "C" PRIMARY KEY,
    slug TEXT COLLATE "C" NOT NULL UNIQUE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    -- Open: every member sees names and may ask. Else invisible without a role or a grant.
    is_open BOOLEAN NOT NULL,
    team_id TEXT COLLATE "C" NOT NULL REFERENCES teams (id),
    created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE environments (
    id TEXT COLLATE "C" PRIMARY KEY,
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    slug TEXT COLLATE "C" NOT NULL,
    tier TEXT NOT NULL,
    position INTEGER NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL,
    UNIQUE (project_id, slug)
);

CREATE TABLE secrets (
    id TEXT COLLATE "C" PRIMARY KEY,
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    environment_id TEXT COLLATE "C" NOT NULL REFERENCES environments (id),
    path TEXT COLLATE "C" NOT NULL,
    -- The path without case: unique in its environment.
    folded TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    class TEXT NOT NULL,
    description TEXT NOT NULL,
    team_id TEXT COLLATE "C" NOT NULL REFERENCES teams (id),
    current_version INTEGER,
    latest_version INTEGER NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    archived_at TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL,
    UNIQUE (environment_id, folded)
);
CREATE INDEX secrets_project ON secrets (project_id, path);

CREATE TABLE environment_keys (
    environment_id TEXT COLLATE "C" NOT NULL REFERENCES environments (id),
    generation INTEGER NOT NULL,
    -- Wrapped by the root's kek-wrap key. Empty once destroyed.
    wrapped BYTEA NOT NULL,
    state TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (environment_id, generation)
);

CREATE TABLE secret_versions (
    secret_id TEXT COLLATE "C" NOT NULL REFERENCES secrets (id),
    version INTEGER NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    key_generation INTEGER NOT NULL,
    -- The data key, wrapped by the environment's key of that generation; and the payload sealed by the data key.
    data_key BYTEA NOT NULL,
    payload BYTEA NOT NULL,
    field_names TEXT NOT NULL,
    length INTEGER NOT NULL,
    created_by TEXT COLLATE "C",
    created_at TIMESTAMPTZ NOT NULL,
    deleted_at TIMESTAMPTZ,
    destroy_after TIMESTAMPTZ,
    destroy_by TEXT COLLATE "C",
    destroyed_at TIMESTAMPTZ,
    PRIMARY KEY (secret_id, version)
);
CREATE INDEX secret_versions_key ON secret_versions (environment_id, key_generation, secret_id, version);

-- Who knows a version: typed, imported, revealed or copied it.
CREATE TABLE knowledge (
    secret_id TEXT COLLATE "C" NOT NULL REFERENCES secrets (id),
    version INTEGER NOT NULL,
    person_id TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    how TEXT NOT NULL,
    since TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (secret_id, version, person_id)
);
CREATE INDEX knowledge_person ON knowledge (person_id);

-- Where a secret lay before it was moved.
CREATE TABLE secret_moves (
    environment_id TEXT COLLATE "C" NOT NULL REFERENCES environments (id),
    folded TEXT COLLATE "C" NOT NULL,
    secret_id TEXT COLLATE "C" NOT NULL REFERENCES secrets (id),
    moved_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (environment_id, folded)
);

-- What an import read, sealed, between its preview and its confirmation. Opens nothing.
CREATE TABLE stashes (
    id TEXT COLLATE "C" PRIMARY KEY,
    sealed BYTEA NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
