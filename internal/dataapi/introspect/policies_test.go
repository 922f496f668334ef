package introspect

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// What policies may say of a table (id int, owner text, mood api.mood, doc jsonb, at timestamptz), and whether that is plain.
var policies = []struct {
	says  string // statements about the table %[1]s, or what a policy has after USING
	plain bool
}{
	{`(owner = current_user)`, true},
	{`(owner = current_setting('request.jwt.claims', true)::json ->> 'sub')`, true},
	{`(owner = (SELECT current_setting('request.jwt.claims', true)::json ->> 'sub'))`, true},
	{`(owner = ANY ((SELECT string_to_array(current_setting('app.owners'), ','))::text[]))`, true},
	{`(owner IN ('ann', 'bob', current_user) AND NOT id BETWEEN 1 AND 2 OR at > now() - interval '1 hour' AND true IS NOT FALSE)`, true},
	{`(CASE doc ->> 'a' WHEN 'x' THEN true ELSE coalesce(nullif(owner, ''), 'none') IS DISTINCT FROM greatest('a', 'b') END)`, true},
	{`(doc @> jsonb_build_object('owner', current_user) AND ARRAY[owner] = ARRAY[upper(owner COLLATE "C")] AND owner ~ '^a{2}:funcid 1')`, true},
	{`((ARRAY['1', '2'])[id]::int > 1 AND ARRAY['1']::int[] @> ARRAY[id] AND owner::varchar(3) LIKE 'a%%' AND (id, owner) = (1, 'x'))`, true},
	{`(pg_has_role(current_user, owner, 'member'))`, true},
	{`(true) WITH CHECK (owner = current_user)`, true},
	{`CREATE POLICY p ON %[1]s AS RESTRICTIVE FOR SELECT USING (id > 0)`, true},
	{`CREATE POLICY p ON %[1]s FOR INSERT WITH CHECK (owner = current_user)`, true},
	{`CREATE POLICY p ON %[1]s FOR SELECT USING (id > 0); CREATE POLICY q ON %[1]s FOR UPDATE USING (id > 1)`, true},
	{`CREATE POLICY p ON %[1]s USING (id > hidden.me()); ALTER POLICY p ON %[1]s USING (id > 0)`, true},
	{``, true},

	{`(owner = hidden.uid())`, false},
	{`(owner = (SELECT hidden.uid()))`, false},
	{`(owner LIKE ALL (ARRAY['a', hidden.uid()]))`, false},
	{`(id OPERATOR(hidden.===) 1)`, false},
	{`(id OPERATOR(hidden.===) ANY ('{1,2}'))`, false},
	{`(owner::hidden.code = 'x')`, false},
	{`(mood = 'sad'::api.mood)`, false},
	{`(owner::hidden.pair IS NULL)`, false},
	{`(id = ROW(1, 'x')::hidden.pair::text::int)`, false},
	{`('[1,2]'::hidden.numbers = '[1,2]')`, false},
	{`(owner < 'x' COLLATE hidden.own)`, false},
	{`(hidden.has(ROW(id)))`, false},
	{`(set_config('response.headers', '[]', true) IS NOT NULL)`, false},
	{`((SELECT set_config('response.headers', '[]', true)) IS NOT NULL)`, false},
	{`(CASE WHEN id > 0 THEN set_config('response.status', '202', true) = '202' END)`, false},
	{`(coalesce(owner, set_config('response.status', '202', true)) = 'x')`, false},
	{`(pg_sleep(0) IS NOT NULL)`, false},
	{`(nextval('hidden.numbered') > 0)`, false},
	{`(query_to_xml('SELECT hidden.uid()', true, true, '') IS NOT NULL)`, false},
	{`(table_to_xml('hidden.speaking', true, true, '') IS NOT NULL)`, false},
	{`((SELECT schema_to_xml('hidden', true, true, '')) IS NOT NULL)`, false},
	{`(domain_in('x', 0, 0) IS NULL)`, false},
	{`(satisfies_hash_partition(0, 1, 1, id))`, false},
	{`(EXISTS (SELECT FROM hidden.members m WHERE m.name = owner))`, false},
	{`(EXISTS (SELECT FROM %[1]s other WHERE other.id > id))`, false},
	{`(id IN (SELECT 1 UNION SELECT 2))`, false},
	{`(id IN (SELECT g FROM generate_series(1, 3) g))`, false},
	{`(id = (SELECT count(*)))`, false},
	{`(id > 0) WITH CHECK (owner = hidden.uid())`, false},
	{`CREATE POLICY p ON %[1]s FOR INSERT WITH CHECK (set_config('a.b', 'c', true) = 'c')`, false},
	{`CREATE POLICY p ON %[1]s AS RESTRICTIVE USING (owner = hidden.uid())`, false},
	{`CREATE POLICY p ON %[1]s FOR SELECT USING (id > 0); CREATE POLICY q ON %[1]s FOR DELETE USING (owner = hidden.uid())`, false},
	{`CREATE POLICY p ON %[1]s USING (id > 0); ALTER POLICY p ON %[1]s USING (owner = hidden.uid())`, false},
	{`CREATE POLICY p ON %[1]s USING (id > 0); CREATE RULE r AS ON INSERT TO %[1]s DO ALSO NOTHING`, false},
}

func TestLoadPolicies(t *testing.T) {
	var b strings.Builder
	b.WriteString(`
		CREATE SCHEMA api;
		CREATE SCHEMA hidden;
		CREATE TYPE api.mood AS ENUM ('sad', 'happy');
		CREATE TYPE hidden.pair AS (a int, b text);
		CREATE TYPE hidden.numbers AS RANGE (SUBTYPE = int);
		CREATE DOMAIN hidden.code AS text;
		CREATE COLLATION hidden.own (LOCALE = 'C');
		CREATE SEQUENCE hidden.numbered;
		CREATE TABLE hidden.members (name text);
		CREATE FUNCTION hidden.me() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
		CREATE FUNCTION hidden.uid() RETURNS text LANGUAGE sql STABLE AS $$ SELECT current_setting('request.jwt.claims', true)::json ->> 'sub' $$;
		CREATE VIEW hidden.speaking AS SELECT set_config('response.status', '202', true);
		CREATE FUNCTION hidden.same(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
		CREATE OPERATOR hidden.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = hidden.same);
		CREATE FUNCTION hidden.has(record) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';`)
	for i, p := range policies {
		says := p.says
		if strings.HasPrefix(says, "(") {
			says = "CREATE POLICY p ON %[1]s USING " + says
		}
		table := fmt.Sprintf("api.t%d", i)
		fmt.Fprintf(&b, "CREATE TABLE %[1]s (id int, owner text, mood api.mood, doc jsonb, at timestamptz); ALTER TABLE %[1]s ENABLE ROW LEVEL SECURITY;", table)
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(says, "%[1]s", table), "%%", "%") + ";")
	}
	b.WriteString(`
		CREATE TABLE api.off (id int, owner text);
		CREATE POLICY p ON api.off USING (owner = hidden.uid());`)
	db := pgtest.New(t)
	db.Exec(t, b.String())
	c := loadOn(t, db.Conn(t))
	for i, p := range policies {
		r := c.Relations[id(fmt.Sprintf("t%d", i))]
		if r == nil || !r.RowSecurity || r.Copyable {
			t.Fatalf("%s: %v", p.says, r)
		}
		if r.Plain != p.plain {
			t.Errorf("%q is plain: %t", p.says, r.Plain)
		}
	}
	if c.ServerVersion >= 160000 {
		db.Exec(t, "ALTER POLICY p ON api.t0 USING (pg_input_is_valid(owner, 'hidden.code'))")
		if loadOn(t, db.Conn(t)).Relations[id("t0")].Plain {
			t.Error("what checks a value of a type that is given by name is plain")
		}
	}
	if r := c.Relations[id("off")]; !r.Plain || !r.Copyable {
		t.Error("a policy counts where row-level security is off")
	}
}
