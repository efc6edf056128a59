CREATE FUNCTION dead_letter_is_settled_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR TG_OP = 'TRUNCATE' THEN
        RAISE EXCEPTION 'dead letters are kept';
    END IF;
    IF OLD.settled_at IS NOT NULL THEN
        RAISE EXCEPTION 'dead letter % is settled: how, why and by whom stays as it is', OLD.id;
    END IF;
    IF (to_jsonb(NEW) - ARRAY['settled_at', 'settled_how', 'settled_why', 'settled_by'])
        <> (to_jsonb(OLD) - ARRAY['settled_at', 'settled_how', 'settled_why', 'settled_by']) THEN
        RAISE EXCEPTION 'a dead letter is not edited';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dead_letter_is_settled_once BEFORE UPDATE OR DELETE ON dead_letter
    FOR EACH ROW EXECUTE FUNCTION dead_letter_is_settled_once();
CREATE TRIGGER dead_letters_are_kept BEFORE TRUNCATE ON dead_letter
    FOR EACH STATEMENT EXECUTE FUNCTION dead_letter_is_settled_once();
