-- Requests, decisions, grants, notices (server/src/requests, grants, notifications), workloads (server/src/workloads).
CREATE TABLE workloads (
    id TEXT COLLATE "C" PRIMARY KEY,
    slug TEXT COLLATE "C" NOT NULL UNIQUE,
    name TEXT NOT NULL,
    team_id TEXT COLLATE "C" NOT NULL REFERENCES teams (id),
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    environment_id TEXT COLLATE "C" NOT NULL REFERENCES environments (id),
    created_by TEXT COLLATE "C",
    created_at TIMESTAMPTZ NOT NULL,
    disabled_at TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);

CREATE TABLE credentials (
    id TEXT COLLATE "C" PRIMARY KEY,
    workload_id TEXT COLLATE "C" NOT NULL REFERENCES workloads (id),
    hash BYTEA NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE INDEX credentials_workload ON credentials (workload_id);

CREATE TABLE tokens (
    id TEXT COLLATE "C" PRIMARY KEY,
    workload_id TEXT COLLATE "C" NOT NULL REFERENCES workloads (id),
    credential_id TEXT COLLATE "C" NOT NULL REFERENCES credentials (id),
    hash BYTEA NOT NULL UNIQUE,
    issued_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE INDEX tokens_workload ON tokens (workload_id, expires_at);

CREATE TABLE access_requests (
    id TEXT COLLATE "C" PRIMARY KEY,
    revision INTEGER NOT NULL,
    requester_id TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    -- Absent: for the requester.
    workload_id TEXT COLLATE "C" REFERENCES workloads (id),
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    environment_id TEXT COLLATE "C" NOT NULL REFERENCES environments (id),
    tier TEXT NOT NULL,
    class TEXT NOT NULL,
    access_right TEXT NOT NULL,
    secrets TEXT NOT NULL,
    minutes BIGINT NOT NULL,
    reason TEXT NOT NULL,
    policy TEXT NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    form_id TEXT COLLATE "C" NOT NULL UNIQUE,
    submitted_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    outcome TEXT,
    grant_id TEXT COLLATE "C",
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE INDEX access_requests_open ON access_requests (ended_at, expires_at);
CREATE INDEX access_requests_requester ON access_requests (requester_id, submitted_at);
CREATE INDEX access_requests_project ON access_requests (project_id, submitted_at);

CREATE TABLE decisions (
    id TEXT COLLATE "C" PRIMARY KEY,
    request_id TEXT COLLATE "C" NOT NULL REFERENCES access_requests (id),
    person_id TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    requester_id TEXT COLLATE "C" NOT NULL,
    verdict TEXT NOT NULL,
    seat INTEGER NOT NULL,
    comment TEXT NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    decided_at TIMESTAMPTZ NOT NULL,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE INDEX decisions_request ON decisions (request_id);
CREATE INDEX decisions_pair ON decisions (person_id, requester_id, decided_at);

CREATE TABLE grants (
    id TEXT COLLATE "C" PRIMARY KEY,
    request_id TEXT COLLATE "C" NOT NULL REFERENCES access_requests (id),
    person_id TEXT COLLATE "C" REFERENCES people (id),
    workload_id TEXT COLLATE "C" REFERENCES workloads (id),
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    environment_id TEXT COLLATE "C" NOT NULL REFERENCES environments (id),
    access_right TEXT NOT NULL,
    secrets TEXT NOT NULL,
    starts_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ,
    revoked_by TEXT COLLATE "C",
    given_back_at TIMESTAMPTZ,
    -- When its end was recorded and told; no part of what the grant opens.
    end_noted_at TIMESTAMPTZ,
    event_seq BIGINT NOT NULL,
    row_mac BYTEA NOT NULL
);
CREATE INDEX grants_person ON grants (person_id, expires_at);
CREATE INDEX grants_workload ON grants (workload_id, expires_at);
CREATE INDEX grants_end ON grants (end_noted_at, expires_at);

CREATE TABLE grant_secrets (
    grant_id TEXT COLLATE "C" NOT NULL REFERENCES grants (id),
    secret_id TEXT COLLATE "C" NOT NULL REFERENCES secrets (id),
    PRIMARY KEY (secret_id, grant_id)
);

CREATE TABLE request_secrets (
    request_id TEXT COLLATE "C" NOT NULL REFERENCES access_requests (id),
    secret_id TEXT COLLATE "C" NOT NULL REFERENCES secrets (id),
    PRIMARY KEY (secret_id, request_id)
);

CREATE TABLE notices (
    id TEXT COLLATE "C" PRIMARY KEY,
    person_id TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    kind TEXT NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    told_at TIMESTAMPTZ NOT NULL,
    read_at TIMESTAMPTZ
);
CREATE INDEX notices_person ON notices (person_id, read_at, id);
