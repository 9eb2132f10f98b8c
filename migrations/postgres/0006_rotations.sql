-- How a secret rotates, its rotations, and who works on one now (server/src/rotations).
CREATE TABLE rotation_plans (
    id TEXT COLLATE "C" PRIMARY KEY,
    secret_id TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES secrets (id),
    rotator TEXT NOT NULL,
    -- JSON, as the rotator reads it; never a credential.
    settings TEXT NOT NULL,
    length INTEGER NOT NULL,
    forbidden TEXT NOT NULL,
    overlap_minutes BIGINT NOT NULL,
    -- Its greatest age in days; 0: rotated by hand alone.
    every_days INTEGER NOT NULL,
    set_by TEXT COLLATE "C" NOT NULL,
    set_at TIMESTAMPTZ NOT NULL,
    -- Where reading takes a second person, so does naming where values are sent.
    confirmed_by TEXT COLLATE "C",
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);

CREATE TABLE rotations (
    id TEXT COLLATE "C" PRIMARY KEY,
    secret_id TEXT COLLATE "C" NOT NULL REFERENCES secrets (id),
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    environment_id TEXT COLLATE "C" NOT NULL REFERENCES environments (id),
    trigger_kind TEXT NOT NULL,
    started_by TEXT COLLATE "C",
    started_at TIMESTAMPTZ NOT NULL,
    step TEXT NOT NULL,
    -- Where a rotation that needs a person stopped.
    stopped TEXT,
    reason TEXT,
    attempts INTEGER NOT NULL,
    next_at TIMESTAMPTZ NOT NULL,
    from_version INTEGER NOT NULL,
    to_version INTEGER,
    promoted_at TIMESTAMPTZ,
    overlap_until TIMESTAMPTZ,
    dead_at TIMESTAMPTZ,
    repeats INTEGER NOT NULL,
    grade TEXT,
    ended_at TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE UNIQUE INDEX rotations_one_open ON rotations (secret_id) WHERE ended_at IS NULL;
CREATE INDEX rotations_due ON rotations (next_at) WHERE ended_at IS NULL;
CREATE INDEX rotations_secret ON rotations (secret_id, started_at);
CREATE INDEX rotations_ended ON rotations (ended_at);

-- When it has to be looked whether a secret is due: a reminder, never the reason to rotate.
CREATE TABLE rotation_due (
    secret_id TEXT COLLATE "C" PRIMARY KEY,
    due_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX rotation_due_at ON rotation_due (due_at);

CREATE TABLE rotation_leases (
    rotation_id TEXT COLLATE "C" PRIMARY KEY,
    holder TEXT NOT NULL,
    leased_until TIMESTAMPTZ NOT NULL
);
