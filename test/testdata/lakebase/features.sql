-- What the tests of the features need that Databricks' service leaves out.
CREATE OR REPLACE FUNCTION pgrst.pre_config() RETURNS void LANGUAGE sql AS $$
  SELECT
    set_config('pgrst.db_schemas', 'public', true),
    set_config('pgrst.db_aggregates_enabled', 'true', true),
    set_config('pgrst.db_max_rows', '100', true),
    set_config('pgrst.db_plan_enabled', 'true', true),
    set_config('pgrst.db_tx_end', 'commit-allow-override', true),
    set_config('pgrst.db_pre_request', 'public.check_request', true),
    set_config('pgrst.server_timing_enabled', 'true', true),
    set_config('pgrst.server_trace_header', 'X-Request-Id', true),
    set_config('pgrst.app_settings', '{"region": "eu", "limit": 50}', true)
$$;

-- Computed relationships: one to many, many to one, and in place of a foreign key's.
CREATE FUNCTION open_tasks(projects) RETURNS SETOF tasks STABLE LANGUAGE sql AS
  $$ SELECT * FROM tasks WHERE project_id = $1.id AND status <> 'completed' $$;
CREATE FUNCTION customer(projects) RETURNS SETOF clients ROWS 1 STABLE LANGUAGE sql AS
  $$ SELECT * FROM clients WHERE id = $1.client_id $$;
CREATE FUNCTION projects(clients) RETURNS SETOF projects STABLE LANGUAGE sql AS
  $$ SELECT * FROM projects WHERE client_id = $1.id AND status = 'active' $$;

-- Media types: a domain that a function returns, and aggregates over one relation and over any.
CREATE DOMAIN "image/png" AS bytea;
CREATE FUNCTION logo() RETURNS "image/png" IMMUTABLE LANGUAGE sql AS $$ SELECT '\x89504e470d0a1a0a'::"image/png" $$;
CREATE DOMAIN "text/xml" AS xml;
CREATE FUNCTION greeting(name text) RETURNS "text/xml" IMMUTABLE LANGUAGE sql AS
  $$ SELECT xmlelement(name hello, name)::"text/xml" $$;
CREATE DOMAIN "text/vcard" AS text;
CREATE FUNCTION vcard_add(text, clients) RETURNS "text/vcard" IMMUTABLE LANGUAGE sql AS
  $$ SELECT ($1 || format(E'BEGIN:VCARD\nFN:%s\nEND:VCARD\n', $2.name))::"text/vcard" $$;
CREATE AGGREGATE vcards(clients) (SFUNC = vcard_add, STYPE = "text/vcard", INITCOND = '');
CREATE DOMAIN "application/x-ndjson" AS text;
CREATE FUNCTION ndjson_add(text, anyelement) RETURNS "application/x-ndjson" IMMUTABLE LANGUAGE sql AS
  $$ SELECT ($1 || to_json($2) || E'\n')::"application/x-ndjson" $$;
CREATE AGGREGATE ndjson(anyelement) (SFUNC = ndjson_add, STYPE = "application/x-ndjson", INITCOND = '');

-- The planner takes the two conditions for independent, so that it expects 250 rows where there are 500.
CREATE TABLE readings (id int PRIMARY KEY, a int, b int);
INSERT INTO readings SELECT i, i % 2, i % 2 FROM generate_series(1, 1000) i;
ANALYZE readings;

CREATE TABLE events (id int PRIMARY KEY, at timestamptz);
INSERT INTO events VALUES (1, '2024-07-01 12:00:00+00');

CREATE FUNCTION app_setting(name text) RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting('app.settings.' || name, true) $$;
CREATE FUNCTION request_id() RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting('request.headers')::json ->> 'x-request-id' $$;
CREATE FUNCTION checked() RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting('checked.by', true) $$;

CREATE FUNCTION check_request() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('request.headers')::json ->> 'x-api-version' = '1' THEN
    RAISE SQLSTATE 'PGRST' USING
      MESSAGE = '{"code": "gone", "message": "Version 1 is no longer served"}',
      DETAIL = '{"status": 410, "headers": {"X-Api-Versions": "2"}}';
  END IF;
  PERFORM set_config('checked.by', current_user, true);
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON readings, events TO "user@databricks.com";
