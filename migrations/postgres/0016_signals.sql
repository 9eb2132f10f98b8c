-- What detectors remember of the trail, and what they found: computed from the trail, and computable again (server/src/signals).
CREATE TABLE signal_memory (
    room TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    body TEXT NOT NULL,
    -- When it has to be looked at, whether or not something happens to it.
    due TIMESTAMPTZ,
    PRIMARY KEY (room, name)
);
CREATE INDEX signal_memory_due ON signal_memory (due) WHERE due IS NOT NULL;
CREATE TABLE signals (
    detector TEXT COLLATE "C" NOT NULL,
    -- The event that it was found at.
    seq BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    actor_id TEXT COLLATE "C",
    project_id TEXT COLLATE "C",
    environment_id TEXT COLLATE "C",
    secret_id TEXT COLLATE "C",
    request_id TEXT COLLATE "C",
    grant_id TEXT COLLATE "C",
    -- The numbers that it was found by, as JSON; the events that it was found in, with a space between.
    evidence TEXT NOT NULL,
    events TEXT NOT NULL,
    PRIMARY KEY (detector, seq)
);
CREATE INDEX signals_at ON signals (at, seq, detector);
-- What people answered. It outlives a computing anew.
CREATE TABLE signal_answers (
    detector TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    n INTEGER NOT NULL,
    answer TEXT COLLATE "C" NOT NULL,
    by_id TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    answered_at TIMESTAMPTZ NOT NULL,
    assignee_id TEXT COLLATE "C" REFERENCES people (id),
    until_at TIMESTAMPTZ,
    reason TEXT NOT NULL,
    PRIMARY KEY (detector, seq, n)
);
