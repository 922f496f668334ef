package sqlgen_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/dataapi/introspect"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
	"github.com/tarn-data/tarn/internal/pgtest"
)

const fuzzSchema = `
	CREATE SCHEMA api;
	CREATE DOMAIN api.color AS int;
	CREATE FUNCTION api.json(api.color) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT to_json('#' || to_hex($1)) $$;
	CREATE FUNCTION api.color(text) RETURNS api.color LANGUAGE sql IMMUTABLE AS $$ SELECT length($1)::api.color $$;
	CREATE FUNCTION api.color(json) RETURNS api.color LANGUAGE sql IMMUTABLE AS $$ SELECT 1::api.color $$;
	CREATE CAST (api.color AS json) WITH FUNCTION api.json(api.color) AS IMPLICIT;
	CREATE CAST (text AS api.color) WITH FUNCTION api.color(text) AS IMPLICIT;
	CREATE CAST (json AS api.color) WITH FUNCTION api.color(json) AS IMPLICIT;
	CREATE TABLE api.a (id int PRIMARY KEY, "na""me" text DEFAULT 'it''s \', doc jsonb, tags text[], ts tsvector, tint api.color);
	CREATE TABLE api.b (id int PRIMARY KEY, a_id int REFERENCES api.a, n numeric DEFAULT 1.5);
	CREATE TABLE api.c (id int PRIMARY KEY, b_id int REFERENCES api.b, "sel col" text);
	CREATE TABLE api.ab (a_id int REFERENCES api.a, b_id int REFERENCES api.b, PRIMARY KEY (a_id, b_id));
	CREATE FUNCTION api.up(api.a) RETURNS SETOF api.b LANGUAGE sql STABLE AS $$ SELECT * FROM api.b WHERE a_id = $1.id $$;
	CREATE FUNCTION api.shout(api.a) RETURNS text LANGUAGE sql STABLE AS $$ SELECT upper($1."na""me") $$;
	CREATE FUNCTION api.find(x int, y text DEFAULT 'y') RETURNS SETOF api.a LANGUAGE sql STABLE AS $$ SELECT * FROM api.a $$;
	CREATE FUNCTION api.many(VARIADIC v int[]) RETURNS int LANGUAGE sql STABLE AS $$ SELECT 1 $$;
	CREATE FUNCTION api.raw(json) RETURNS json LANGUAGE sql STABLE AS $$ SELECT $1 $$;`

// words are all that may stand in SQL outside of quotes: ours, and what the catalog says of the fuzz schema.
var words = map[string]bool{}

func init() { //nolint:gochecknoinits // a test's table
	for w := range strings.FieldsSeq(`with as select from where and or not in is null distinct true false unknown any all array like ilike
		left inner join lateral on limit offset order by asc desc nulls first last group cast count sum avg min max coalesce
		json_agg jsonb_agg row_to_json to_jsonb jsonb json to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery
		insert into values returning conflict do nothing update set excluded delete exists case when then else end explain format text
		json_array_elements jsonb_array_elements json_to_record json_to_recordset jsonb_to_record jsonb_to_recordset jsonb_build_object
		json_build_array json_each_text json_object_keys string_agg substring length json_strip_nulls unnest set_config current_setting
		nullif int bigint integer smallint real double precision numeric boolean bit varying character time timestamp without zone interval
		pg_catalog pgrst_source pgrst_source_count pgrst_body pgrst_payload pgrst_call pgrst_scalar pgrst_json_defs json_data elem val
		_postgrest_t variadic key value k d r s h e n _ api a b c ab color tsvector`) {
		words[w] = true
	}
}

var (
	quoted = regexp.MustCompile(`"(?:[^"]|"")*"|E?'(?:[^']|'')*'`)
	word   = regexp.MustCompile(`[A-Za-z_\x80-\xff]+`)
	symbol = regexp.MustCompile(`[^A-Za-z_0-9\x80-\xff\s$.,:()\[\]=<>@&|~*+\-]`)
)

// FuzzSQL holds that whatever a client asks, PostgreSQL never finds a syntax error in the statement, and no text of the
// client stands in it but as a quoted identifier.
func FuzzSQL(f *testing.F) {
	ctx := context.Background()
	db := pgtest.New(f)
	db.Exec(f, fuzzSchema)
	conn := db.Conn(f)
	cache, err := introspect.Load(ctx, conn, introspect.Options{Schemas: []string{"api"}})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []struct{ method, path, query, body, prefer string }{
		{"GET", "/a", "select=id,x:na\"me,doc->a->>0,tint,shout&id=in.(1,2)&tint=eq.x&order=doc->b.desc.nullslast&limit=3&offset=1", "", "count=exact"},
		{"GET", "/a", "select=*,b!inner(n.sum(),c(*)),up(id)&b.n=gt.1&b=not.is.null&or=(id.eq.1,and(id.gt.2,not.id.lt(any).{1}))", "", "count=planned"},
		{"GET", "/a", "select=...ab(a_id,...b(n)),x:id::text&ts=fts(english).cat&tags=cs.{a}&doc->>a=isdistinct.b&ab.order=b_id", "", "count=estimated"},
		{"GET", "/b", "select=...a(id.count()),n.avg()::int,count()&a_id=not.like(all).{*a*}&order=a(id).desc", "", ""},
		{"POST", "/a", "columns=id,na%22me,tint&select=id,b(*)&on_conflict=id", `[{"id":1}]`, "return=representation,missing=default,resolution=merge-duplicates"},
		{"POST", "/a", "", `{"id":1,"tint":"#fff"}`, "return=headers-only"},
		{"PATCH", "/a", "id=eq.1&or=(id.eq.1,id.eq.2)&select=id", `{"doc":{}}`, "return=representation"},
		{"PATCH", "/a", "id=eq.1", `{}`, ""},
		{"PUT", "/b", "id=eq.1", `{"id":1,"n":2}`, "return=representation"},
		{"DELETE", "/c", "sel col=eq.1", "", "return=representation"},
		{"GET", "/rpc/find", "x=1&select=id,b(*)&id=gt.1&order=id", "", "count=exact"},
		{"POST", "/rpc/find", "select=id", `{"x":1}`, ""},
		{"GET", "/rpc/many", "v=1&v=2", "", ""},
		{"POST", "/rpc/raw", "", `{"x":1}`, ""},
	} {
		f.Add(seed.method, seed.path, seed.query, seed.body, seed.prefer, "application/json")
	}
	f.Fuzz(func(t *testing.T, method, path, query, body, prefer, accept string) {
		q := build(cache, method, path, query, body, prefer, accept)
		if q == nil {
			return
		}
		statements := []sqlgen.Statement{q.Main}
		if q.Count != nil {
			statements = append(statements, *q.Count)
		}
		for _, s := range statements {
			checkText(t, s.SQL)
			prepare(t, conn, s)
		}
	})
}

func build(cache *schema.Cache, method, path, query, body, prefer, accept string) *sqlgen.Query {
	req, err := request.Parse(request.Input{
		Method: method, Path: path, Query: query, Body: []byte(body),
		Header: map[string][]string{"Prefer": {prefer}, "Accept": {accept}, "Content-Type": {"application/json"}},
	}, request.Options{Schemas: []string{"api"}, TxAllowOverride: true})
	if err != nil {
		return nil
	}
	p, err := plan.New(req, cache, plan.Options{Aggregates: true, LegacyTargetNames: true, PlanEnabled: true, MaxRows: 100})
	if err != nil {
		return nil
	}
	q, err := sqlgen.Build(p, req.Prefer, sqlgen.Options{MaxRows: 100})
	if err != nil {
		return nil
	}
	return q
}

func checkText(t *testing.T, sql string) {
	t.Helper()
	bare := quoted.ReplaceAllString(sql, "")
	for _, w := range word.FindAllString(bare, -1) {
		if !words[strings.ToLower(w)] {
			t.Errorf("%q stands outside of quotes in %s", w, sql)
		}
	}
	if s := symbol.FindString(bare); s != "" {
		t.Errorf("%q stands outside of quotes in %s", s, sql)
	}
}

// prepare has the server parse a statement. What it may say is that something isn't there or doesn't fit.
func prepare(t *testing.T, conn *pgx.Conn, s sqlgen.Statement) {
	t.Helper()
	oids := make([]uint32, len(s.Args))
	for i, a := range s.Args {
		oids[i] = a.OID
	}
	_, err := conn.PgConn().Prepare(context.Background(), "", s.SQL, oids)
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	if pgErr.Code == "42601" || strings.HasPrefix(pgErr.Code, "XX") {
		t.Errorf("%s %s: %s", pgErr.Code, pgErr.Message, s.SQL)
	}
}
