CREATE TABLE kept_projection (
    name     text        NOT NULL PRIMARY KEY,
    version  integer     NOT NULL,
    built_at timestamptz NOT NULL,
    kept_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE kept_projection IS 'What a rebuilt read model was before, as it stood at the swap, in the schema <name>__old until it is dropped.';
