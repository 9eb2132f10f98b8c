-- Counts of events by the hour, computed from the trail and computable again (server/src/metrics).
CREATE TABLE metric_hours (
    -- Hours since 1970, UTC.
    hour BIGINT NOT NULL,
    series TEXT COLLATE "C" NOT NULL,
    label TEXT COLLATE "C" NOT NULL,
    -- Empty where the event names none.
    project TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (hour, series, label, project, environment)
);
-- Who failed on which day: for counting actors once.
CREATE TABLE metric_actors (
    hour BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (hour, actor, project, environment)
);
