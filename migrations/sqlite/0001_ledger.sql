-- The ledger (server/src/audit) and this installation's identity.
CREATE TABLE store_identity (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    store_id TEXT NOT NULL,
    log_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    demo BOOLEAN NOT NULL,
    -- Proves that the root key is this store's: HMAC of the store id.
    key_check BLOB NOT NULL,
    -- Made once and wrapped by the root key: rotating the root never changes it.
    pseudonym_key BLOB NOT NULL,
    created_at TEXT NOT NULL
);

CREATE TABLE ledger_head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    size BIGINT NOT NULL
);
INSERT INTO ledger_head (id, size) VALUES (1, 0);

CREATE TABLE audit_events (
    seq INTEGER PRIMARY KEY,
    leaf BLOB NOT NULL,
    at TEXT NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    project_id TEXT,
    environment_id TEXT,
    secret_id TEXT,
    request_id TEXT,
    grant_id TEXT
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
    salt BLOB NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (seq, field)
);

CREATE TABLE audit_tiles (
    level INTEGER NOT NULL,
    n BIGINT NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, n)
);

CREATE TABLE audit_checkpoints (
    size INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    note TEXT NOT NULL
);

CREATE TRIGGER audit_events_keep_update BEFORE UPDATE ON audit_events BEGIN SELECT RAISE(ABORT, 'the ledger is insert-only'); END;
CREATE TRIGGER audit_events_keep_delete BEFORE DELETE ON audit_events BEGIN SELECT RAISE(ABORT, 'the ledger is insert-only'); END;
CREATE TRIGGER audit_tiles_keep_update BEFORE UPDATE ON audit_tiles BEGIN SELECT RAISE(ABORT, 'the ledger is insert-only'); END;
CREATE TRIGGER audit_tiles_keep_delete BEFORE DELETE ON audit_tiles BEGIN SELECT RAISE(ABORT, 'the ledger is insert-only'); END;
CREATE TRIGGER audit_checkpoints_keep_update BEFORE UPDATE ON audit_checkpoints BEGIN SELECT RAISE(ABORT, 'the ledger is insert-only'); END;
CREATE TRIGGER audit_checkpoints_keep_delete BEFORE DELETE ON audit_checkpoints BEGIN SELECT RAISE(ABORT, 'the ledger is insert-only'); END;
CREATE TRIGGER audit_disclosures_keep_update BEFORE UPDATE ON audit_disclosures BEGIN SELECT RAISE(ABORT, 'the ledger is insert-only'); END;
