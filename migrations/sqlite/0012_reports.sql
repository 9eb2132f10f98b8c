-- Long work with a page of its own: exports, evidence bundles, verifications (server/src/reports). Results are sealed and kept a day.
CREATE TABLE report_jobs (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES people (id),
    kind TEXT NOT NULL,
    format TEXT NOT NULL,
    query TEXT NOT NULL,
    zone TEXT NOT NULL,
    -- Sensitive fields are withheld; cells that a spreadsheet would compute stay as they are.
    redacted BOOLEAN NOT NULL,
    -- Ids of the projects that it was made of, with a space between; empty: the whole trail.
    scope TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    raw BOOLEAN NOT NULL,
    -- The trail's size when it was asked for: nothing later is in it.
    as_of BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    started_at TEXT,
    cancelled_at TEXT,
    ended_at TEXT,
    failure TEXT,
    -- How far it is, of how much; how many rows and bytes came out.
    done BIGINT NOT NULL,
    total BIGINT NOT NULL,
    rows_written BIGINT NOT NULL,
    bytes_written BIGINT NOT NULL,
    digest TEXT,
    expires_at TEXT NOT NULL,
    holder TEXT,
    leased_until TEXT
);
CREATE INDEX report_jobs_owner ON report_jobs (owner_id, id);
CREATE INDEX report_jobs_open ON report_jobs (ended_at, created_at);
CREATE TABLE report_chunks (
    job_id TEXT NOT NULL REFERENCES report_jobs (id),
    n INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (job_id, n)
);
CREATE INDEX access_requests_submitted ON access_requests (submitted_at);
