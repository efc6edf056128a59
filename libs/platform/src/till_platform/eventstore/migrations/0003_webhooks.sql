CREATE TABLE webhook (
    name          text        NOT NULL PRIMARY KEY,
    url           text        NOT NULL,
    types         text[],
    secret        text        NOT NULL,
    former_secret text,
    former_until  timestamptz,
    position      bigint      NOT NULL,
    attempts      integer     NOT NULL DEFAULT 0,
    failing_since timestamptz,
    not_before    timestamptz NOT NULL DEFAULT clock_timestamp(),
    leased_until  timestamptz,
    disabled_at   timestamptz,
    disabled_why  text,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by    text        NOT NULL
);
COMMENT ON TABLE webhook IS 'Who is called with the public events of this service, in order, and up to which log position they have been taken.';

CREATE TABLE webhook_attempt (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook  text        NOT NULL REFERENCES webhook (name) ON DELETE CASCADE,
    position bigint      NOT NULL,
    event_id uuid        NOT NULL,
    attempt  integer     NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    seconds  double precision NOT NULL,
    status   integer,
    error    text
);
CREATE INDEX webhook_attempt_of ON webhook_attempt (webhook, id DESC);
CREATE INDEX webhook_attempt_at ON webhook_attempt (at);
COMMENT ON TABLE webhook_attempt IS 'What came of each call, for those who look; forgotten after TILL_EFFECTS_KEPT_DAYS.';
