-- Who issued a client secret (a trust that changed lately bars its maker from deciding), when access begins, and what suspends it.
ALTER TABLE credentials ADD COLUMN issued_by TEXT COLLATE "C";
ALTER TABLE access_requests ADD COLUMN starts_at TIMESTAMPTZ;
ALTER TABLE grants ADD COLUMN suspended_at TIMESTAMPTZ;
ALTER TABLE grants ADD COLUMN suspended_for TEXT;
