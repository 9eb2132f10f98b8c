-- Identity providers, what their groups give, whose an identity is, and accounts for emergencies (server/src/people/providers).
-- All are interval rows: closed, never changed back.
CREATE TABLE identity_providers (
    id TEXT COLLATE "C" PRIMARY KEY,
    -- The provider; its settings of one time have an id of their own.
    provider_id TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    issuer TEXT COLLATE "C" NOT NULL,
    client_id TEXT NOT NULL,
    -- Wrapped by the key for small secrets of the installation.
    sealed_secret TEXT NOT NULL,
    groups_claim TEXT NOT NULL,
    admits BOOLEAN NOT NULL,
    acr TEXT,
    max_age INTEGER,
    set_by TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    valid_from TIMESTAMPTZ NOT NULL,
    valid_to TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE UNIQUE INDEX identity_providers_current ON identity_providers (provider_id) WHERE valid_to IS NULL;
CREATE UNIQUE INDEX identity_providers_issuer ON identity_providers (issuer) WHERE valid_to IS NULL;

CREATE TABLE group_rules (
    id TEXT COLLATE "C" PRIMARY KEY,
    provider_id TEXT COLLATE "C" NOT NULL,
    group_name TEXT NOT NULL,
    role TEXT,
    project_id TEXT COLLATE "C",
    team_id TEXT COLLATE "C",
    set_by TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    valid_from TIMESTAMPTZ NOT NULL,
    valid_to TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE INDEX group_rules_provider ON group_rules (provider_id);

CREATE TABLE identities (
    id TEXT COLLATE "C" PRIMARY KEY,
    issuer TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    person_id TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    -- What the provider said last: JSON.
    groups_told TEXT NOT NULL,
    groups_at TIMESTAMPTZ NOT NULL,
    valid_from TIMESTAMPTZ NOT NULL,
    valid_to TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE UNIQUE INDEX identities_current ON identities (issuer, subject) WHERE valid_to IS NULL;
CREATE INDEX identities_person ON identities (person_id);

CREATE TABLE emergency_accounts (
    id TEXT COLLATE "C" PRIMARY KEY,
    person_id TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    named_by TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    valid_from TIMESTAMPTZ NOT NULL,
    valid_to TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE INDEX emergency_accounts_person ON emergency_accounts (person_id);

-- Logout tokens of providers that were taken, so that each counts once.
CREATE TABLE used_logouts (
    digest TEXT COLLATE "C" PRIMARY KEY,
    expires_at TIMESTAMPTZ NOT NULL
);

-- When a way to sign in was added last: for a day it decides nothing in production.
ALTER TABLE people ADD COLUMN factor_at TIMESTAMPTZ;
ALTER TABLE roles ADD COLUMN rule_id TEXT COLLATE "C";
ALTER TABLE memberships ADD COLUMN rule_id TEXT COLLATE "C";
ALTER TABLE session_bindings ADD COLUMN identity_id TEXT COLLATE "C";
ALTER TABLE session_bindings ADD COLUMN provider_sid TEXT;
ALTER TABLE session_bindings ADD COLUMN acr TEXT;
ALTER TABLE session_bindings ADD COLUMN auth_time TIMESTAMPTZ;
CREATE INDEX session_bindings_identity ON session_bindings (identity_id);
