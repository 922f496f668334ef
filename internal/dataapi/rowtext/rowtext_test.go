package rowtext_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/dataapi/rowtext"
	"github.com/tarn-data/tarn/internal/pgtest"
)

// render runs a query and renders its rows here.
func render(t testing.TB, conn *pgx.Conn, query string, make func([]rowtext.Field) (rowtext.Encoder, bool), args ...[]byte) (string, error) {
	t.Helper()
	rr := conn.PgConn().ExecParams(context.Background(), query, args, nil, nil, nil)
	var (
		enc rowtext.Encoder
		out []byte
		n   int
	)
	for rr.NextRow() {
		if n == 0 {
			enc = encoder(t, rr, make)
			out = enc.Begin(out, true)
		}
		out = enc.Row(out, rr.Values(), n == 0)
		n++
	}
	if n == 0 {
		enc = encoder(t, rr, make)
		out = enc.Begin(out, false)
	}
	_, err := rr.Close()
	return string(enc.End(out)), err
}

func encoder(t testing.TB, rr *pgconn.ResultReader, make func([]rowtext.Field) (rowtext.Encoder, bool)) rowtext.Encoder {
	t.Helper()
	var fields []rowtext.Field
	for _, f := range rr.FieldDescriptions() {
		fields = append(fields, rowtext.Field{Name: f.Name, OID: f.DataTypeOID})
	}
	enc, ok := make(fields)
	if !ok {
		t.Fatalf("types not known: %v", fields)
	}
	return enc
}

func asJSON(f []rowtext.Field) (rowtext.Encoder, bool) { return rowtext.NewJSON(f) }

func asNDJSON(f []rowtext.Field) (rowtext.Encoder, bool) { return rowtext.NewNDJSON(f) }

func asCSV(f []rowtext.Field) (rowtext.Encoder, bool) { return rowtext.NewCSV(f), true }

// reference has PostgreSQL render the same rows.
func reference(t testing.TB, conn *pgx.Conn, expression, query string, args ...[]byte) (string, error) {
	t.Helper()
	res := conn.PgConn().ExecParams(context.Background(), "SELECT "+expression+" FROM ("+query+") t", args, nil, nil, nil).Read()
	if res.Err != nil {
		return "", res.Err
	}
	return string(res.Rows[0][0]), nil
}

const (
	jsonReference = "COALESCE(json_agg(t), '[]')::text"
	ndReference   = "COALESCE(string_agg(translate(to_json(t)::text, E'\\n\\r', '  ') || E'\\n', ''), '')"
	csvReference  = `COALESCE((SELECT string_agg(k, ',') FROM json_object_keys((json_agg(t))->0) k), '') || E'\n' ||
		COALESCE(string_agg(substring(t::text, 2, length(t::text) - 2), E'\n'), '')`
)

// literals are values of every type on the list, among them those that are unlike the others.
var literals = map[string][]string{
	"bool":        {"true", "false"},
	"int2":        {"0", "-32768"},
	"int4":        {"2147483647"},
	"int8":        {"-9223372036854775808"},
	"float4":      {"1.5", "1e20", "NaN", "Infinity", "-Infinity", "0.1", "-0"},
	"float8":      {"1e300", "1e-7", "NaN", "-Infinity", "3.141592653589793"},
	"numeric":     {"1.50", "1e-20", "NaN", "123456789012345678901234567890", "Infinity", "-Infinity"},
	"json":        {`{"a" : [1,  2]}`, `null`, `"x\u0001y"`, "{\n}"},
	"jsonb":       {`{"a" : [1,  2]}`, `1.0`},
	"timestamp":   {"2024-01-15 10:00:00", "2024-01-15 10:00:00.123456", "infinity", "-infinity", "0044-03-15 12:00:00 BC", "20240-01-01 00:00:00"},
	"timestamptz": {"2024-01-15 10:00:00+02", "infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "1890-01-01 00:00:00+00", "20240-01-01 00:00:00.5+00"},
	"date":        {"2024-01-15", "infinity", "0044-03-15 BC"},
	"time":        {"10:00:00.5", "24:00"},
	"timetz":      {"10:00:00+05:30"},
	"interval":    {"1 day 02:03:04", "-1 mons", "@ 1 year"},
	"text":        {"", `quote " backslash \ slash /`, "tab\tnewline\nreturn\rbell\abs\bff\fdel\x7f", "größe 漢字 😀", "{a,b}", "a,b", "(x)", "null"},
	"varchar":     {"x y"},
	"bpchar":      {"pad  "},
	"name":        {"a name"},
	`"char"`:      {"c", ""},
	"bytea":       {`\x00ff`, ""},
	"uuid":        {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
	"inet":        {"10.0.0.1/8"},
	"cidr":        {"10.0.0.0/8"},
	"macaddr":     {"08:00:2b:01:02:03"},
	"macaddr8":    {"08:00:2b:01:02:03:04:05"},
	"money":       {"12.34", "-1234567.89"},
	"oid":         {"42"},
	"bit":         {"1"},
	"varbit":      {"101"},
	"tsvector":    {"a:1 b:2"},
	"tsquery":     {"a & 'b c'"},
	"xml":         {"<a b=\"c\">d</a>"},
}

func TestEveryTypeAsPostgreSQLDoes(t *testing.T) {
	conn := pgtest.New(t).Conn(t)
	for typ, values := range literals {
		rows := []string{"(NULL::" + typ + ")"}
		for _, v := range values {
			rows = append(rows, fmt.Sprintf("('%s'::%s)", strings.ReplaceAll(v, "'", "''"), typ))
		}
		query := "SELECT v AS \"va\"\"l\\ue\", v AS b FROM (VALUES " + strings.Join(rows, ", ") + ") x (v)"
		for _, zone := range []string{"UTC", "Asia/Kolkata", "America/St_Johns", "Europe/Amsterdam"} {
			if _, err := conn.Exec(t.Context(), "SET timezone = '"+zone+"'"); err != nil {
				t.Fatal(err)
			}
			compare(t, conn, typ+" in "+zone, query, jsonReference, asJSON)
			compare(t, conn, typ+" in "+zone, query, ndReference, asNDJSON)
			compare(t, conn, typ+" in "+zone, query, csvReference, asCSV)
		}
	}
	compare(t, conn, "no rows", "SELECT 1 AS a WHERE false", jsonReference, asJSON)
	compare(t, conn, "no rows", "SELECT 1 AS a WHERE false", ndReference, asNDJSON)
	compare(t, conn, "no rows", "SELECT 1 AS a WHERE false", csvReference, asCSV)
	compare(t, conn, "arrays", "SELECT ARRAY[1,2] AS a, ROW(1,'x y') AS b", csvReference, asCSV)
}

func compare(t *testing.T, conn *pgx.Conn, name, query, expression string, make func([]rowtext.Field) (rowtext.Encoder, bool)) {
	t.Helper()
	want, err := reference(t, conn, expression, query)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	got, err := render(t, conn, query, make)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", name, got, want)
	}
}

// FuzzAsPostgreSQL has PostgreSQL read a text as each type, and compares how it and we write what came of it.
func FuzzAsPostgreSQL(f *testing.F) {
	conn := pgtest.New(f).Conn(f)
	var types []string
	for typ, values := range literals {
		types = append(types, typ)
		for _, v := range values {
			f.Add(v)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, typ := range types {
			query := "SELECT $1::text::" + typ + " AS v, 1 AS n"
			want, err := reference(t, conn, jsonReference, query, []byte(text))
			if err != nil {
				continue // no value of the type
			}
			if got, err := render(t, conn, query, asJSON, []byte(text)); err != nil || got != want {
				t.Errorf("%s %q: got %s (%v), want %s", typ, text, got, err, want)
			}
			want, err = reference(t, conn, csvReference, query, []byte(text))
			if err != nil {
				continue // the reference looks into JSON for the names, and that may have what text can't
			}
			if got, err := render(t, conn, query, asCSV, []byte(text)); err != nil || got != want {
				t.Errorf("%s %q: got %s (%v), want %s", typ, text, got, err, want)
			}
		}
	})
}

func BenchmarkRow(b *testing.B) {
	enc, _ := rowtext.NewJSON([]rowtext.Field{{"id", 23}, {"name", 25}, {"price", 1700}, {"ok", 16}, {"attrs", 3802}, {"at", 1184}})
	row := [][]byte{[]byte("12345"), []byte("item 12345"), []byte("12.50"), []byte("t"), []byte(`{"k": 1}`), []byte("2026-01-01 00:01:00+00")}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = enc.Row(buf[:0], row, false)
	}
}
