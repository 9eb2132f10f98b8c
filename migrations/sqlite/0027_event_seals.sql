-- HMAC of each event under a key outside the database (server/src/audit/event_seal.rs). An event without one is nobody's.
ALTER TABLE audit_events ADD COLUMN seal BLOB;
