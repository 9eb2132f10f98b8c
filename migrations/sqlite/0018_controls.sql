-- Proposed changes of what controls everything else (server/src/controls). Confirmed ones are in effect.
CREATE TABLE control_changes (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    -- The change, and what it changes as that stood when it was proposed: JSON.
    change TEXT NOT NULL,
    former TEXT,
    person_id TEXT,
    digest TEXT NOT NULL,
    proposed_by TEXT NOT NULL REFERENCES people (id),
    proposed_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    ended_at TEXT,
    outcome TEXT,
    decided_by TEXT,
    comment TEXT NOT NULL,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);
CREATE INDEX control_changes_open ON control_changes (ended_at, expires_at);
CREATE INDEX control_changes_proposed ON control_changes (proposed_at);
