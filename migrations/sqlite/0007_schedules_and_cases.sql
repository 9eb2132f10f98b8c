-- When secrets rotate, who agrees first, and what has to be rotated because of what (server/src/rotations).
-- A column that a row did not have yet is not part of its seal while it holds its default.
ALTER TABLE rotation_plans ADD COLUMN schedule TEXT NOT NULL DEFAULT '';
ALTER TABLE rotation_plans ADD COLUMN cron TEXT NOT NULL DEFAULT '';
ALTER TABLE rotation_plans ADD COLUMN zone TEXT NOT NULL DEFAULT '';
ALTER TABLE rotation_plans ADD COLUMN window_minutes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rotation_plans ADD COLUMN paused_until TEXT;
ALTER TABLE rotation_plans ADD COLUMN approval_first BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE rotation_plans ADD COLUMN hold BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE rotations ADD COLUMN due_at TEXT;
ALTER TABLE rotations ADD COLUMN cut_off BOOLEAN NOT NULL DEFAULT FALSE;

-- What the secrets of an environment inherit.
CREATE TABLE rotation_defaults (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL UNIQUE REFERENCES environments (id),
    schedule TEXT NOT NULL,
    every_days INTEGER NOT NULL,
    cron TEXT NOT NULL,
    zone TEXT NOT NULL,
    window_minutes INTEGER NOT NULL,
    set_by TEXT NOT NULL,
    set_at TEXT NOT NULL,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);

-- One trigger on one secret: from when it had to be rotated to when its old version was shown to be dead.
CREATE TABLE rotation_cases (
    id TEXT PRIMARY KEY,
    secret_id TEXT NOT NULL REFERENCES secrets (id),
    project_id TEXT NOT NULL REFERENCES projects (id),
    environment_id TEXT NOT NULL REFERENCES environments (id),
    trigger_kind TEXT NOT NULL,
    -- The version that has to die.
    version INTEGER NOT NULL,
    began_at TEXT NOT NULL,
    opened_by TEXT,
    opened_at TEXT NOT NULL,
    -- The person or workload that it is about.
    suspect TEXT,
    cut_off BOOLEAN NOT NULL,
    dead_at TEXT,
    outcome TEXT NOT NULL,
    ended_at TEXT,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);
CREATE INDEX rotation_cases_of_secret ON rotation_cases (secret_id, version);
CREATE INDEX rotation_cases_opened ON rotation_cases (opened_at);
CREATE INDEX rotation_cases_ended ON rotation_cases (ended_at);

-- When the old credential of this version was shown, or attested, to be dead: knowing it opens nothing any more.
ALTER TABLE secret_versions ADD COLUMN dead_at TEXT;
ALTER TABLE secret_versions ADD COLUMN death TEXT;
CREATE INDEX rotations_started ON rotations (started_at);
-- Only what ended: what is due is read off its own index.
DROP INDEX rotations_ended;
CREATE INDEX rotations_ended ON rotations (ended_at) WHERE ended_at IS NOT NULL;
