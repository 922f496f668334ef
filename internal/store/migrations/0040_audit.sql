-- +goose Up

-- The log is only added to: in the order of seq, by whoever holds the row of audit_head. Segments are days; a day is dropped
-- as a whole when it is to be forgotten.
CREATE TABLE audit_log (
    seq        bigint NOT NULL,
    day        date NOT NULL, -- when it was added; never falls while seq rises
    at         timestamptz NOT NULL, -- when the call came
    request_id text NOT NULL,
    principal  text NOT NULL,
    service    text NOT NULL,
    action     text NOT NULL,
    status     integer NOT NULL,
    record     text NOT NULL, -- what was hashed; the columns before only serve to find it
    hash       bytea NOT NULL,
    PRIMARY KEY (seq, day)
) PARTITION BY RANGE (day);
CREATE INDEX ON audit_log (principal, seq);
CREATE INDEX ON audit_log (request_id);
CREATE INDEX ON audit_log USING brin (at);

CREATE TABLE audit_head (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    seq       bigint NOT NULL,
    hash      bytea NOT NULL,
    day       date NOT NULL
);

-- The last batch that each writer has added, so that none is added twice.
CREATE TABLE audit_writers (
    writer   text PRIMARY KEY,
    batch    bigint NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now()
);

-- Where the log was cut: the head before the first record that was kept.
CREATE TABLE audit_cuts (
    seq    bigint PRIMARY KEY,
    hash   bytea NOT NULL,
    cut_at timestamptz NOT NULL DEFAULT now()
);

-- +goose StatementBegin
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd

CREATE TRIGGER only_added BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER only_added_whole BEFORE TRUNCATE ON audit_log EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE ON audit_cuts FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER only_added_whole BEFORE TRUNCATE ON audit_cuts EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER kept BEFORE DELETE ON audit_head FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER kept_whole BEFORE TRUNCATE ON audit_head EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER only_forward BEFORE UPDATE ON audit_head FOR EACH ROW
    WHEN (NEW.seq <= OLD.seq OR NEW.day < OLD.day) EXECUTE FUNCTION audit_refuse();

-- +goose StatementBegin
CREATE FUNCTION audit_add_segment(d date) RETURNS void LANGUAGE plpgsql SET search_path = tarn AS $$
DECLARE
    segment text := 'audit_log_' || to_char(d, 'YYYYMMDD');
BEGIN
    IF to_regclass(segment) IS NOT NULL THEN
        RETURN;
    END IF;
    -- Attached, not made in place, so that nobody who reads the log is waited for.
    EXECUTE format('CREATE TABLE %I (LIKE audit_log)', segment);
    EXECUTE format('ALTER TABLE audit_log ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', segment, d, d + 1);
    EXECUTE format('CREATE TRIGGER only_added_whole BEFORE TRUNCATE ON %I EXECUTE FUNCTION audit_refuse()', segment);
END
$$;

-- audit_cut drops the segments of days before one, and returns how many records that were.
CREATE FUNCTION audit_cut(before date) RETURNS bigint LANGUAGE plpgsql SET search_path = tarn SET lock_timeout = '5s' AS $$
DECLARE
    segment text;
    first   bigint;
    last    audit_log%ROWTYPE;
    total   bigint := 0;
BEGIN
    PERFORM FROM audit_head FOR UPDATE;
    FOR segment IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'audit_log'::regclass
          AND c.relname < 'audit_log_' || to_char(least(before, (SELECT day FROM audit_head)), 'YYYYMMDD')
        ORDER BY c.relname
    LOOP
        EXECUTE format('SELECT min(seq) FROM %I', segment) INTO first;
        IF first IS NOT NULL THEN
            EXECUTE format('SELECT * FROM %I ORDER BY seq DESC LIMIT 1', segment) INTO last;
            INSERT INTO audit_cuts (seq, hash) VALUES (last.seq, last.hash);
            total := total + last.seq - first + 1;
        END IF;
        EXECUTE format('DROP TABLE %I', segment);
    END LOOP;
    RETURN total;
END
$$;
-- +goose StatementEnd

INSERT INTO audit_head VALUES (true, 0, decode(repeat('00', 32), 'hex'), (now() AT TIME ZONE 'UTC')::date);
SELECT audit_add_segment(day) FROM audit_head;
