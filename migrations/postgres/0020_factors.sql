-- Second factors of people (server/src/people/factors). A row is closed, never deleted.
CREATE TABLE factors (
    id TEXT COLLATE "C" PRIMARY KEY,
    person_id TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    -- passkey, authenticator or recovery
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    -- JSON: a public key; a wrapped shared secret and the last step that was taken; hashes of the codes that are left.
    data TEXT NOT NULL,
    -- Of a passkey: its id. One belongs to one person.
    credential TEXT COLLATE "C",
    valid_from TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ,
    valid_to TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE INDEX factors_person ON factors (person_id);
CREATE UNIQUE INDEX factors_credential ON factors (credential) WHERE valid_to IS NULL;

-- Questions that were answered with a factor, so that each answer counts once.
CREATE TABLE used_proofs (
    id TEXT COLLATE "C" PRIMARY KEY,
    expires_at TIMESTAMPTZ NOT NULL
);
