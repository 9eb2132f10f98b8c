-- Who decides in whose place while they are away (server/src/people/delegation). A row is closed, never deleted.
CREATE TABLE delegations (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES people (id),
    delegate_id TEXT NOT NULL REFERENCES people (id),
    starts_at TEXT NOT NULL,
    ends_at TEXT NOT NULL,
    -- When it was confirmed.
    made_at TEXT NOT NULL,
    ended_at TEXT,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);
CREATE INDEX delegations_delegate ON delegations (delegate_id, ends_at);
CREATE INDEX delegations_person ON delegations (person_id, ends_at);

-- Whose seat it was, where somebody decided in another one's place.
ALTER TABLE decisions ADD COLUMN on_behalf_of TEXT;
-- When a signature lost its effect, because the account of whoever gave it closed while the request waited.
ALTER TABLE decisions ADD COLUMN voided_at TEXT;
