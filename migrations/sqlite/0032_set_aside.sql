-- What a job could not work on, and when it is tried again (server/src/jobs/items.rs). Opens nothing.
CREATE TABLE set_aside (
    job TEXT NOT NULL,
    item TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    since TEXT NOT NULL,
    next_at TEXT NOT NULL,
    PRIMARY KEY (job, item)
);
-- Whether somebody was reminded of an end (server/src/grants/store.rs).
CREATE INDEX notices_about ON notices (person_id, kind, subject);
