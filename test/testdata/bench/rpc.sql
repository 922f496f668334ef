\set x random(1, 1000)
BEGIN READ ONLY;
SELECT set_config('search_path', '"api", "public"', true), set_config('role', :role, true), set_config('request.jwt.claims', '{"role":"bench"}', true), set_config('request.method', 'GET', true), set_config('request.path', '/x', true), set_config('request.headers', '{"accept":"*/*","host":"127.0.0.1"}', true), set_config('request.cookies', '{}', true);
WITH s AS (SELECT "api"."add_them"("a" := :x, "b" := 2) AS v) SELECT NULL::bigint, 1, COALESCE((json_agg(t.v)->0)::text, 'null'), NULLIF(current_setting('response.headers', true), ''), NULLIF(current_setting('response.status', true), '') FROM (SELECT s.* FROM s) t;
COMMIT;
