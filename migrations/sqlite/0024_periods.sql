-- An auditor may be given only the events of a period to read (server/src/people, server/src/audit/search).
ALTER TABLE roles ADD COLUMN reads_from TEXT;
ALTER TABLE roles ADD COLUMN reads_until TEXT;
