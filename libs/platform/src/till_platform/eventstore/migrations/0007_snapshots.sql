CREATE TABLE snapshot (
    stream   text        NOT NULL PRIMARY KEY,
    version  integer     NOT NULL,
    class    text        NOT NULL,
    code     text        NOT NULL,
    covers   text        NOT NULL,
    state    bytea       NOT NULL,
    hash     bytea       NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE snapshot IS
    'What long streams add up to, so that they load sooner. Never trusted: one that is not of this code and this log is taken anew. May be emptied.';
