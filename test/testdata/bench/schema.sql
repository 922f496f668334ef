CREATE SCHEMA api;
CREATE TABLE api.items (
  id int PRIMARY KEY, name text NOT NULL, category int NOT NULL, price numeric(10,2) NOT NULL, in_stock boolean NOT NULL,
  attrs jsonb, created_at timestamptz NOT NULL);
INSERT INTO api.items SELECT i, 'item ' || i, i % 1000, (i % 10000) / 100.0, i % 3 <> 0, jsonb_build_object('k', i % 7),
  timestamptz '2026-01-01Z' + i * interval '1 minute' FROM generate_series(1, 100000) i;
CREATE INDEX ON api.items (category, id);
CREATE TABLE api.clients (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE api.projects (id int PRIMARY KEY, name text NOT NULL, client_id int NOT NULL REFERENCES api.clients);
CREATE TABLE api.tasks (id int PRIMARY KEY, name text NOT NULL, project_id int NOT NULL REFERENCES api.projects);
INSERT INTO api.clients SELECT i, 'client ' || i FROM generate_series(1, 1000) i;
INSERT INTO api.projects SELECT i, 'project ' || i, 1 + i % 1000 FROM generate_series(1, 10000) i;
INSERT INTO api.tasks SELECT i, 'task ' || i, 1 + i % 10000 FROM generate_series(1, 100000) i;
CREATE INDEX ON api.projects (client_id);
CREATE INDEX ON api.tasks (project_id);
CREATE TABLE api.logs (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, msg text NOT NULL, level int NOT NULL);
CREATE TABLE api.counters (id int PRIMARY KEY, n int NOT NULL, note text);
INSERT INTO api.counters SELECT i, 0 FROM generate_series(1, 10000) i;
CREATE FUNCTION api.add_them(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
CREATE TABLE api.secrets (id int PRIMARY KEY, owner text NOT NULL, name text, category int, price numeric(10,2), created_at timestamptz);
INSERT INTO api.secrets SELECT i, 'me', 'item ' || i, i % 1000, (i % 10000) / 100.0, '2026-01-01Z' FROM generate_series(1, 10000) i;
ALTER TABLE api.secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON api.secrets USING (owner = current_setting('request.jwt.claims', true)::json ->> 'sub');
CREATE TABLE api.open (LIKE api.secrets INCLUDING ALL);
INSERT INTO api.open SELECT * FROM api.secrets;
VACUUM ANALYZE;
