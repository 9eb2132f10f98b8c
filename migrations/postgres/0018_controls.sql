-- Proposed changes of what controls everything else (server/src/controls). Confirmed ones are in effect.
CREATE TABLE control_changes (
    id TEXT COLLATE "C" PRIMARY KEY,
    kind TEXT NOT NULL,
    -- The change, and what it changes as that stood when it was proposed: JSON.
    change TEXT NOT NULL,
    former TEXT,
    person_id TEXT COLLATE "C",
    digest TEXT NOT NULL,
    proposed_by TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    proposed_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    outcome TEXT,
    decided_by TEXT COLLATE "C",
    comment TEXT NOT NULL,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE INDEX control_changes_open ON control_changes (ended_at, expires_at);
CREATE INDEX control_changes_proposed ON control_changes (proposed_at);
