-- Who decides in whose place while they are away (server/src/people/delegation). A row is closed, never deleted.
CREATE TABLE delegations (
    id TEXT COLLATE "C" PRIMARY KEY,
    person_id TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    delegate_id TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    starts_at TIMESTAMPTZ NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL,
    -- When it was confirmed.
    made_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE INDEX delegations_delegate ON delegations (delegate_id, ends_at);
CREATE INDEX delegations_person ON delegations (person_id, ends_at);

-- Whose seat it was, where somebody decided in another one's place.
ALTER TABLE decisions ADD COLUMN on_behalf_of TEXT COLLATE "C";
-- When a signature lost its effect, because the account of whoever gave it closed while the request waited.
ALTER TABLE decisions ADD COLUMN voided_at TIMESTAMPTZ;
