-- HMAC of each event under a key outside the database (server/src/audit/event_seal.rs). Events of earlier versions have none: their
-- signed head covers them.
ALTER TABLE audit_events ADD COLUMN seal BLOB;
