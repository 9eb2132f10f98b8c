-- What is computed from the trail and can be computed again: how far each projection has read (server/src/audit/projection.rs).
CREATE TABLE projection_cursors (
    name TEXT PRIMARY KEY,
    seq BIGINT NOT NULL
);
-- The words and ids that events are found by, and where they occur (server/src/audit/search).
CREATE TABLE search_terms (
    id BIGINT PRIMARY KEY,
    term TEXT NOT NULL UNIQUE
);
CREATE TABLE search_postings (
    term_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (term_id, seq)
) WITHOUT ROWID;
-- Queries that somebody keeps, for themselves or for a team (server/src/audit/views).
CREATE TABLE saved_views (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES people (id),
    team_id TEXT REFERENCES teams (id),
    name TEXT NOT NULL,
    query TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE INDEX saved_views_owner ON saved_views (owner_id);
CREATE INDEX secrets_path ON secrets (folded);
