-- What values look like, so that none is written into a text that many read (server/src/vault/prose.rs). Opens nothing.
CREATE TABLE value_marks (
    mark BYTEA NOT NULL,
    secret_id TEXT COLLATE "C" NOT NULL REFERENCES secrets (id),
    version INTEGER NOT NULL,
    PRIMARY KEY (mark, secret_id, version)
);
