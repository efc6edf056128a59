CREATE FUNCTION append_at_once(
    recorded timestamptz, streams text[], sequences integer[], ids uuid[], types text[], keys text[], contents bytea[],
    publics boolean[], occurred timestamptz[],
    correlations text[], causations text[], actors text[], stores text[], traces text[],
    answered text[], fingerprints bytea[], statuses integer[], bodies bytea[], ends integer[],
    effects bigint[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    head bigint;
BEGIN
    -- Each statement of a volatile function sees what was committed before it began: what is looked at behind the lock is the truth.
    SELECT position INTO STRICT head FROM log_head FOR UPDATE;
    IF EXISTS (SELECT FROM answer WHERE key = ANY (answered)) OR EXISTS (
        SELECT FROM unnest(streams, sequences) AS new (stream, sequence) GROUP BY stream
        HAVING min(sequence) <> 1 + coalesce((SELECT max(log.sequence) FROM log WHERE log.stream = new.stream), 0)
            OR max(sequence) - min(sequence) + 1 <> count(*)
    ) THEN
        RETURN NULL;
    END IF;
    -- Who asked first may be let in last: times follow positions all the same.
    recorded := greatest(recorded, (SELECT recorded_at FROM log WHERE log.position = head));
    UPDATE log_head SET position = head + cardinality(streams);
    INSERT INTO log (position, recorded_at, stream, sequence, id, type, key, data, public, occurred_at,
                     correlation_id, causation_id, actor, store_id, traceparent)
    SELECT head + number, recorded, stream, sequence, id, type, key, data, public, occurred_at,
           correlation_id, causation_id, actor, store_id, traceparent
    FROM unnest(streams, sequences, ids, types, keys, contents, publics, occurred, correlations, causations, actors, stores, traces)
        WITH ORDINALITY AS new (stream, sequence, id, type, key, data, public, occurred_at,
                                correlation_id, causation_id, actor, store_id, traceparent, number);
    IF cardinality(answered) > 0 THEN
        INSERT INTO answer (key, fingerprint, status, body, position, recorded_at)
        SELECT key, fingerprint, status, body, head + number, recorded
        FROM unnest(answered, fingerprints, statuses, bodies, ends) AS new (key, fingerprint, status, body, number);
    END IF;
    IF cardinality(effects) > 0 THEN
        UPDATE effect SET done_at = clock_timestamp(), leased_until = NULL WHERE id = ANY (effects);
    END IF;
    RETURN head;
END $$;
COMMENT ON FUNCTION append_at_once IS
    'Appends events, answers and finished effects in one round trip and returns the position before the first; nothing, and null, if one does not fit.';
