-- The tables of the plumbing, in every service's own database. Read models are elsewhere: each projection has a schema of its own.
-- IF NOT EXISTS, since there are databases that were made before steps were counted. Later steps do without.
CREATE TABLE IF NOT EXISTS log (
    position       bigint      NOT NULL PRIMARY KEY,
    stream         text        NOT NULL,
    sequence       integer     NOT NULL,
    id             uuid        NOT NULL,
    type           text        NOT NULL,
    key            text        NOT NULL,
    data           bytea       NOT NULL,
    public         boolean     NOT NULL,
    occurred_at    timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    correlation_id text        NOT NULL,
    causation_id   text,
    actor          text,
    store_id       text,
    traceparent    text
);
CREATE UNIQUE INDEX IF NOT EXISTS log_stream_sequence ON log (stream, sequence);
COMMENT ON TABLE log IS 'Every event of this service in commit order, gapless from 1. Rows are only ever added.';

CREATE TABLE IF NOT EXISTS log_head (
    singleton boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (singleton),
    position  bigint  NOT NULL
);
COMMENT ON TABLE log_head IS
    'The position of the last event. Whoever appends locks this row until commit: its lock is the order of the log.';
INSERT INTO log_head (position) VALUES (0) ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the log is append-only'; END $$;
CREATE OR REPLACE TRIGGER log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log
    FOR EACH STATEMENT EXECUTE FUNCTION log_is_append_only();

CREATE OR REPLACE VIEW events AS
    SELECT position, stream, sequence, id, type, convert_from(data, 'UTF8')::jsonb AS data, key, public,
           occurred_at, recorded_at, correlation_id, causation_id, actor, store_id
    FROM log;
COMMENT ON VIEW events IS 'The log as people read it.';

CREATE TABLE IF NOT EXISTS answer (
    key         text        NOT NULL PRIMARY KEY,
    fingerprint bytea       NOT NULL,
    status      integer     NOT NULL,
    body        bytea       NOT NULL,
    position    bigint      NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS answer_recorded_at ON answer (recorded_at);
COMMENT ON TABLE answer IS 'What was answered to a command with an idempotency key, committed with the events of that command.';

CREATE TABLE IF NOT EXISTS relay_mark (
    topic    text   NOT NULL PRIMARY KEY,
    position bigint NOT NULL,
    epoch    bigint NOT NULL,
    ends     jsonb  NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE relay_mark IS 'Up to which position the log is on its topic, acknowledged; by partition, the offset after the last one acknowledged.';

CREATE TABLE IF NOT EXISTS checkpoint (
    consumer      text   NOT NULL,
    topic         text   NOT NULL,
    partition     integer NOT NULL,
    next_offset   bigint NOT NULL,
    last_position bigint NOT NULL,
    PRIMARY KEY (consumer, topic, partition)
);
COMMENT ON TABLE checkpoint IS 'The next offset a consumer needs, and the log position of the last event it took: what comes at or below it is a repeat.';

CREATE TABLE IF NOT EXISTS dead_letter (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer    text        NOT NULL,
    topic       text        NOT NULL,
    partition   integer     NOT NULL,
    "offset"    bigint      NOT NULL,
    key         bytea,
    type        text,
    event_id    text,
    reason      text        NOT NULL,
    detail      text        NOT NULL,
    headers     jsonb       NOT NULL,
    value       bytea,
    buried_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at  timestamptz,
    settled_how text,
    settled_why text,
    settled_by  text,
    UNIQUE (consumer, topic, partition, "offset")
);
CREATE INDEX IF NOT EXISTS dead_letter_open ON dead_letter (consumer, topic, key, "offset") WHERE settled_at IS NULL;

CREATE TABLE IF NOT EXISTS parked_key (
    consumer  text  NOT NULL,
    topic     text  NOT NULL,
    key       bytea NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, topic, key)
);
COMMENT ON TABLE parked_key IS 'Keys whose later events wait behind a dead letter, in order, while all other keys flow.';

CREATE TABLE IF NOT EXISTS projection (
    name       text    NOT NULL PRIMARY KEY,
    version    integer NOT NULL,
    built_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS effect (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text        NOT NULL,
    key          text        NOT NULL,
    payload      jsonb       NOT NULL,
    not_before   timestamptz NOT NULL,
    attempts     integer     NOT NULL DEFAULT 0,
    leased_until timestamptz,
    last_error   text,
    correlation_id text NOT NULL,
    causation_id text,
    traceparent  text,
    asked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at      timestamptz,
    UNIQUE (kind, key)
);
CREATE INDEX IF NOT EXISTS effect_due ON effect (kind, not_before) WHERE done_at IS NULL;
COMMENT ON TABLE effect IS 'What is to be done outside, once: claimed by a sender, kept when done so that it is never asked for again.';
