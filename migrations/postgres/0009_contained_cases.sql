-- Who contained a case, and when: its value is rotated as soon as nothing stands in the way (server/src/rotations/cases).
ALTER TABLE rotation_cases ADD COLUMN contained_at TIMESTAMPTZ;
ALTER TABLE rotation_cases ADD COLUMN contained_by TEXT COLLATE "C";
