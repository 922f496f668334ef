-- A library, with something of all that the features are about.
CREATE SCHEMA api;
CREATE SCHEMA archive;

CREATE DOMAIN api.color AS int;
CREATE FUNCTION api.color(text) RETURNS api.color IMMUTABLE LANGUAGE sql AS $$ SELECT ('x' || lpad(ltrim($1, '#'), 8, '0'))::bit(32)::int $$;
CREATE FUNCTION api.color(json) RETURNS api.color IMMUTABLE LANGUAGE sql AS $$ SELECT api.color($1 #>> '{}') $$;
CREATE FUNCTION api.json(api.color) RETURNS json IMMUTABLE LANGUAGE sql AS $$ SELECT to_json('#' || lpad(to_hex($1), 6, '0')) $$;
CREATE CAST (text AS api.color) WITH FUNCTION api.color(text) AS IMPLICIT;
CREATE CAST (json AS api.color) WITH FUNCTION api.color(json) AS IMPLICIT;
CREATE CAST (api.color AS json) WITH FUNCTION api.json(api.color) AS IMPLICIT;

CREATE TYPE api.size AS (width int, height int);

CREATE TABLE api.authors (
  id int PRIMARY KEY, name text NOT NULL, born int, mentor_id int REFERENCES api.authors
);
CREATE TABLE api.books (
  id int PRIMARY KEY, title text NOT NULL, price numeric DEFAULT 5, tags text[] DEFAULT '{}', shelf int4range,
  doc jsonb, size api.size, cover api.color,
  author_id int REFERENCES api.authors, editor_id int REFERENCES api.authors
);
CREATE TABLE api.blurbs (book_id int PRIMARY KEY REFERENCES api.books, body text);
CREATE TABLE api.logs (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
CREATE TABLE archive.papers (id int PRIMARY KEY);

INSERT INTO api.authors VALUES (1, 'Ada', 1900, NULL), (2, 'Bo', 1930, 1), (3, 'Cy', NULL, 1);
INSERT INTO api.books (id, title, price, tags, shelf, doc, size, cover, author_id, editor_id) VALUES
  (1, 'The cat sat', 10, '{old,cat}', '[1,3)', '{"pages": 100, "langs": ["en", "de"]}', (10, 20), 255, 1, 2),
  (2, 'Fat cats eat', 20, '{cat}', '[3,5)', '{"pages": 250, "langs": []}', (11, 22), 16711680, 2, 3),
  (3, 'Dogs (a guide)', 30, '{dog}', '[5,9)', NULL, NULL, NULL, 1, NULL);
INSERT INTO api.blurbs VALUES (1, 'Nice.');
INSERT INTO archive.papers VALUES (1);

CREATE FUNCTION api.concat_all(sep text DEFAULT ' ', VARIADIC words text[] DEFAULT '{}') RETURNS text IMMUTABLE LANGUAGE sql AS
  $$ SELECT array_to_string(words, sep) $$;
CREATE FUNCTION api.twice(n int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT 2 * n $$;
CREATE FUNCTION api.twice(word text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT word || word $$;
CREATE FUNCTION api.both(a int, b int) RETURNS SETOF int IMMUTABLE LANGUAGE sql AS $$ SELECT a UNION ALL SELECT b $$;
CREATE FUNCTION api.first_book() RETURNS api.books STABLE LANGUAGE sql AS $$ SELECT * FROM api.books WHERE id = 1 $$;
CREATE FUNCTION api.nothing() RETURNS void LANGUAGE sql AS $$ SELECT $$;
CREATE FUNCTION api.json_in(json) RETURNS json IMMUTABLE LANGUAGE sql AS $$ SELECT $1 -> 'a' $$;
CREATE FUNCTION api.text_in(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT upper($1) $$;
CREATE FUNCTION api.bytes_in(bytea) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT length($1) $$;
CREATE FUNCTION api.xml_in(xml) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT (xpath('/a/text()', $1))[1]::text $$;
CREATE FUNCTION api.log_it(what text) RETURNS text LANGUAGE sql AS $$ INSERT INTO api.logs (what) VALUES ($1) RETURNING what $$;
CREATE FUNCTION api.setting(name text) RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting($1, true) $$;
CREATE FUNCTION api.hurried() RETURNS text STABLE LANGUAGE sql SET statement_timeout = '4321ms' AS $$ SELECT current_setting('statement_timeout') $$;
CREATE FUNCTION api.root() RETURNS json IMMUTABLE LANGUAGE sql AS $$ SELECT '{"hello": "world"}'::json $$;
