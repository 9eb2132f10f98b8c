-- The ledger (server/src/audit) and this installation's identity.
CREATE TABLE store_identity (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    store_id TEXT COLLATE "C" NOT NULL,
    log_id TEXT COLLATE "C" NOT NULL,
    epoch INTEGER NOT NULL,
    demo BOOLEAN NOT NULL,
    -- Proves that the root key is this store's: HMAC of the store id.
    key_check BYTEA NOT NULL,
    -- Made once and wrapped by the root key: rotating the root never changes it.
    pseudonym_key BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE ledger_head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    size BIGINT NOT NULL
);
INSERT INTO ledger_head (id, size) VALUES (1, 0);

CREATE TABLE audit_events (
    seq BIGINT PRIMARY KEY,
    leaf BYTEA NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT,
    actor_kind TEXT NOT NULL,
    actor_id TEXT COLLATE "C",
    project_id TEXT COLLATE "C",
    environment_id TEXT COLLATE "C",
    secret_id TEXT COLLATE "C",
    request_id TEXT COLLATE "C",
    grant_id TEXT COLLATE "C"
);
CREATE INDEX audit_events_actor ON audit_events (actor_id, seq);
CREATE INDEX audit_events_action ON audit_events (action, seq);
CREATE INDEX audit_events_outcome ON audit_events (outcome, seq);
CREATE INDEX audit_events_project ON audit_events (project_id, seq);
CREATE INDEX audit_events_secret ON audit_events (secret_id, seq);
CREATE INDEX audit_events_request ON audit_events (request_id, seq);

CREATE TABLE audit_disclosures (
    seq BIGINT NOT NULL REFERENCES audit_events (seq),
    field TEXT NOT NULL,
    salt BYTEA NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (seq, field)
);

CREATE TABLE audit_tiles (
    level INTEGER NOT NULL,
    n BIGINT NOT NULL,
    hashes BYTEA NOT NULL,
    PRIMARY KEY (level, n)
);

CREATE TABLE audit_checkpoints (
    size BIGINT PRIMARY KEY,
    root BYTEA NOT NULL,
    note TEXT NOT NULL
);

CREATE FUNCTION insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is insert-only';
END $$;
CREATE TRIGGER audit_events_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events EXECUTE FUNCTION insert_only();
CREATE TRIGGER audit_tiles_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_tiles EXECUTE FUNCTION insert_only();
CREATE TRIGGER audit_checkpoints_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoints EXECUTE FUNCTION insert_only();
CREATE TRIGGER audit_disclosures_keep BEFORE UPDATE OR TRUNCATE ON audit_disclosures EXECUTE FUNCTION insert_only();
