-- Counts of events by the hour, computed from the trail and computable again (server/src/metrics).
CREATE TABLE metric_hours (
    -- Hours since 1970, UTC.
    hour BIGINT NOT NULL,
    series TEXT NOT NULL,
    label TEXT NOT NULL,
    -- Empty where the event names none.
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (hour, series, label, project, environment)
) WITHOUT ROWID;
-- Who failed on which day: for counting actors once.
CREATE TABLE metric_actors (
    hour BIGINT NOT NULL,
    actor TEXT NOT NULL,
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    PRIMARY KEY (hour, actor, project, environment)
) WITHOUT ROWID;
