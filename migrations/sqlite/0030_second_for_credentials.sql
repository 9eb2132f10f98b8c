-- A client secret for production works once a second person confirmed it (server/src/workloads).
ALTER TABLE credentials ADD COLUMN waits BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE credentials ADD COLUMN confirmed_at TEXT;
CREATE INDEX credentials_issuer ON credentials (issued_by, expires_at);
CREATE INDEX links_maker ON links (created_by, expires_at);
