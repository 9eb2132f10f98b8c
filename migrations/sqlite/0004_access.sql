-- Requests, decisions, grants, notices (server/src/requests, grants, notifications), workloads (server/src/workloads).
CREATE TABLE workloads (
    id TEXT PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    team_id TEXT NOT NULL REFERENCES teams (id),
    project_id TEXT NOT NULL REFERENCES projects (id),
    environment_id TEXT NOT NULL REFERENCES environments (id),
    created_by TEXT,
    created_at TEXT NOT NULL,
    disabled_at TEXT,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);

CREATE TABLE credentials (
    id TEXT PRIMARY KEY,
    workload_id TEXT NOT NULL REFERENCES workloads (id),
    hash BLOB NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);
CREATE INDEX credentials_workload ON credentials (workload_id);

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    workload_id TEXT NOT NULL REFERENCES workloads (id),
    credential_id TEXT NOT NULL REFERENCES credentials (id),
    hash BLOB NOT NULL UNIQUE,
    issued_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);
CREATE INDEX tokens_workload ON tokens (workload_id, expires_at);

CREATE TABLE access_requests (
    id TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    requester_id TEXT NOT NULL REFERENCES people (id),
    -- Absent: for the requester.
    workload_id TEXT REFERENCES workloads (id),
    project_id TEXT NOT NULL REFERENCES projects (id),
    environment_id TEXT NOT NULL REFERENCES environments (id),
    tier TEXT NOT NULL,
    class TEXT NOT NULL,
    access_right TEXT NOT NULL,
    secrets TEXT NOT NULL,
    minutes BIGINT NOT NULL,
    reason TEXT NOT NULL,
    policy TEXT NOT NULL,
    digest TEXT NOT NULL,
    form_id TEXT NOT NULL UNIQUE,
    submitted_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    ended_at TEXT,
    outcome TEXT,
    grant_id TEXT,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);
CREATE INDEX access_requests_open ON access_requests (ended_at, expires_at);
CREATE INDEX access_requests_requester ON access_requests (requester_id, submitted_at);
CREATE INDEX access_requests_project ON access_requests (project_id, submitted_at);

CREATE TABLE decisions (
    id TEXT PRIMARY KEY,
    request_id TEXT NOT NULL REFERENCES access_requests (id),
    person_id TEXT NOT NULL REFERENCES people (id),
    requester_id TEXT NOT NULL,
    verdict TEXT NOT NULL,
    seat INTEGER NOT NULL,
    comment TEXT NOT NULL,
    digest TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);
CREATE INDEX decisions_request ON decisions (request_id);
CREATE INDEX decisions_pair ON decisions (person_id, requester_id, decided_at);

CREATE TABLE grants (
    id TEXT PRIMARY KEY,
    request_id TEXT NOT NULL REFERENCES access_requests (id),
    person_id TEXT REFERENCES people (id),
    workload_id TEXT REFERENCES workloads (id),
    project_id TEXT NOT NULL REFERENCES projects (id),
    environment_id TEXT NOT NULL REFERENCES environments (id),
    access_right TEXT NOT NULL,
    secrets TEXT NOT NULL,
    starts_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT,
    revoked_by TEXT,
    given_back_at TEXT,
    -- When its end was recorded and told; no part of what the grant opens.
    end_noted_at TEXT,
    event_seq BIGINT NOT NULL,
    row_mac BLOB NOT NULL
);
CREATE INDEX grants_person ON grants (person_id, expires_at);
CREATE INDEX grants_workload ON grants (workload_id, expires_at);
CREATE INDEX grants_end ON grants (end_noted_at, expires_at);

CREATE TABLE grant_secrets (
    grant_id TEXT NOT NULL REFERENCES grants (id),
    secret_id TEXT NOT NULL REFERENCES secrets (id),
    PRIMARY KEY (secret_id, grant_id)
);

CREATE TABLE request_secrets (
    request_id TEXT NOT NULL REFERENCES access_requests (id),
    secret_id TEXT NOT NULL REFERENCES secrets (id),
    PRIMARY KEY (secret_id, request_id)
);

CREATE TABLE notices (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES people (id),
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    told_at TEXT NOT NULL,
    read_at TEXT
);
CREATE INDEX notices_person ON notices (person_id, read_at, id);
