-- What a rotation remembers besides (server/src/rotations/store.rs): when its value was made and first sent, how often a step did
-- not work, which version gives way, and which sessions of the old value may stay. And what a plan says of new values.
ALTER TABLE rotations ADD COLUMN made_at TEXT;
ALTER TABLE rotations ADD COLUMN sent_at TEXT;
ALTER TABLE rotations ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rotations ADD COLUMN over_version INTEGER;
ALTER TABLE rotations ADD COLUMN sessions_left INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rotations ADD COLUMN sessions_accepted INTEGER;
ALTER TABLE rotation_plans ADD COLUMN alphabet TEXT NOT NULL DEFAULT '';
ALTER TABLE rotation_plans ADD COLUMN not_again INTEGER NOT NULL DEFAULT 0;

-- Who left and whose knowledge has not been looked through yet: what they know has to be rotated (server/src/rotations/leavers.rs).
CREATE TABLE leavers (
    person_id TEXT PRIMARY KEY,
    left_at TEXT NOT NULL
);

-- The last fetch of each workload, found without reading all of them (server/src/rotations/consumers.rs).
CREATE INDEX audit_events_fetched ON audit_events (secret_id, actor_id, seq)
    WHERE action = 'secret.fetched' AND outcome = 'allowed';
