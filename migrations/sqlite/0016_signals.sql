-- What detectors remember of the trail, and what they found: computed from the trail, and computable again (server/src/signals).
CREATE TABLE signal_memory (
    room TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    -- When it has to be looked at, whether or not something happens to it.
    due TEXT,
    PRIMARY KEY (room, name)
) WITHOUT ROWID;
CREATE INDEX signal_memory_due ON signal_memory (due) WHERE due IS NOT NULL;
CREATE TABLE signals (
    detector TEXT NOT NULL,
    -- The event that it was found at.
    seq BIGINT NOT NULL,
    at TEXT NOT NULL,
    actor_id TEXT,
    project_id TEXT,
    environment_id TEXT,
    secret_id TEXT,
    request_id TEXT,
    grant_id TEXT,
    -- The numbers that it was found by, as JSON; the events that it was found in, with a space between.
    evidence TEXT NOT NULL,
    events TEXT NOT NULL,
    PRIMARY KEY (detector, seq)
);
CREATE INDEX signals_at ON signals (at, seq, detector);
-- What people answered. It outlives a computing anew.
CREATE TABLE signal_answers (
    detector TEXT NOT NULL,
    seq BIGINT NOT NULL,
    n INTEGER NOT NULL,
    answer TEXT NOT NULL,
    by_id TEXT NOT NULL REFERENCES people (id),
    answered_at TEXT NOT NULL,
    assignee_id TEXT REFERENCES people (id),
    until_at TEXT,
    reason TEXT NOT NULL,
    PRIMARY KEY (detector, seq, n)
);
