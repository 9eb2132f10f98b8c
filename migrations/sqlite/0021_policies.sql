-- Policies of the organisation (server/src/policies). What is in force and what was: closed, never changed back.
CREATE TABLE policies (
    id TEXT PRIMARY KEY,
    -- The document; each of its versions has an id of its own.
    policy_id TEXT NOT NULL,
    slug TEXT NOT NULL,
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    set_by TEXT NOT NULL REFERENCES people (id),
    valid_from TEXT NOT NULL,
    valid_to TEXT,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);
CREATE UNIQUE INDEX policies_current ON policies (policy_id) WHERE valid_to IS NULL;
CREATE UNIQUE INDEX policies_version ON policies (policy_id, version);
CREATE INDEX policies_event ON policies (event_seq);

-- What is being written: grants nothing, and is proposed as a change of control.
CREATE TABLE policy_drafts (
    policy_id TEXT PRIMARY KEY,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    -- Goes up with every save: two people do not overwrite each other.
    revision INTEGER NOT NULL,
    edited_by TEXT NOT NULL REFERENCES people (id),
    edited_at TEXT NOT NULL
);
CREATE UNIQUE INDEX policy_drafts_slug ON policy_drafts (slug);
