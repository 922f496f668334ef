\set x random(1, 10000)
BEGIN;
SELECT set_config('search_path', '"api", "public"', true), set_config('role', :role, true), set_config('request.jwt.claims', '{"role":"bench"}', true), set_config('request.method', 'GET', true), set_config('request.path', '/x', true), set_config('request.headers', '{"accept":"*/*","host":"127.0.0.1"}', true), set_config('request.cookies', '{}', true);
WITH s AS (UPDATE "api"."counters" SET "n" = b.n, "note" = b.note FROM (SELECT '{"n":5,"note":"hi"}'::json AS j) p, LATERAL (SELECT n, note FROM json_to_record(p.j) AS _(n integer, note text)) b WHERE "api"."counters"."id" = :x RETURNING 1) SELECT ''::text, count(t), ''::text, NULLIF(current_setting('response.headers', true), ''), NULLIF(current_setting('response.status', true), '') FROM (SELECT * FROM s) t;
COMMIT;
