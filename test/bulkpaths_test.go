package test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// uploads are two tables of which one can be copied to, and the other is filled by its INSERT.
const uploads = `
	CREATE TYPE api.mood AS ENUM ('sad', 'happy');
	CREATE TYPE api.pair AS (a int, b text);
	CREATE DOMAIN api.small AS int CHECK (VALUE < 1000000);
	CREATE TABLE api.kinds (id int PRIMARY KEY, name text);
	INSERT INTO api.kinds SELECT n, 'kind ' || n FROM generate_series(0, 4) n;
	CREATE TABLE api.plain (
		id int PRIMARY KEY, kind int REFERENCES api.kinds, name varchar(5000) CHECK (name <> 'bad'), doc jsonb, raw json, mood api.mood,
		num numeric(8,1), at timestamptz, tags text[], pair api.pair, small api.small, parent int REFERENCES api.plain,
		made text DEFAULT 'by default', serial serial, who name DEFAULT current_user, always int GENERATED ALWAYS AS IDENTITY,
		twice int GENERATED ALWAYS AS (2 * id) STORED, must text NOT NULL DEFAULT '', free bytea);
	CREATE TABLE api.ruled (LIKE api.plain INCLUDING ALL, FOREIGN KEY (kind) REFERENCES api.kinds, FOREIGN KEY (parent) REFERENCES api.ruled);
	CREATE RULE nothing AS ON DELETE TO api.ruled DO ALSO NOTHING;
	CREATE SEQUENCE api.ruled_serial; ALTER TABLE api.ruled ALTER serial SET DEFAULT nextval('api.ruled_serial');
	CREATE TABLE api.fired (rows bigint);
	CREATE FUNCTION api.fire() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
		INSERT INTO api.fired SELECT count(*) FROM new_rows;
		PERFORM set_config('response.headers', '[{"X-Fired": "yes"}]', true); RETURN NULL; END $$;
	CREATE TRIGGER fire AFTER INSERT ON api.plain REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION api.fire();
	CREATE TRIGGER fire AFTER INSERT ON api.ruled REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION api.fire();
	GRANT ALL ON ALL TABLES IN SCHEMA api TO %[1]q; GRANT USAGE ON ALL SEQUENCES IN SCHEMA api TO %[1]q;
	NOTIFY %[2]q`

const uploadReset = `TRUNCATE api.plain, api.ruled, api.fired RESTART IDENTITY; ALTER SEQUENCE api.ruled_serial RESTART;
	INSERT INTO api.plain (id, name) SELECT n, 'was there' FROM generate_series(1000, 1009) n;
	INSERT INTO api.ruled (id, name) SELECT n, 'was there' FROM generate_series(1000, 1009) n; TRUNCATE api.fired`

// uploadRows are some 1.3 MB of rows, with more after them. They are as one format has it: %d is the row's number, %s long.
func uploadRows(row, separator, more string, from int) string {
	var b strings.Builder
	long := strings.Repeat("é\\\\ \\\"q\\\" ", 400)
	if !strings.HasPrefix(row, "{") {
		long = strings.Repeat("é\\, \"\"q\"\" ", 400)
	}
	for i := from; i < from+300; i++ {
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(row, "%d", fmt.Sprint(i)), "%s", long))
		b.WriteString(separator)
	}
	return b.String() + more
}

type upload struct {
	name, query, body string
	headers           []string
}

// uploadCases are requests of all kinds, with bodies of more than 1 MB.
func uploadCases() []upload {
	const (
		row   = `{"id":%d,"name":"%s","doc":{"k" : [%d, "\u00e9"]}}`
		csv   = `%d,"%s","{""k"": 1}"` + "\n"
		whole = `{"id":%d,"kind":3,"name":"%s","doc":"a \"string\"","raw":{"k" : [1 , null]} ,"mood":"happy","num":%d.25,"at":"2024-01-15T10:00:00Z","tags":["a","b c"],"pair":{"a":1,"b":"x,y"},"small":"5","parent":1000}`
	)
	array := func(row, last string) string { return "[" + uploadRows(row, ",", last+"]", 0) }
	good := array(row, `{"id":2000,"doc":null,"name":null}`)
	late := func(row string) string { return array(`{"id":%d,"name":"%s"}`, row) }
	prefer := func(p string) []string { return []string{"Prefer", p} }
	list := []upload{
		{name: "no preference", body: good},
		{name: "minimal", body: good, headers: prefer("return=minimal")},
		{name: "headers", body: good, headers: prefer("return=headers-only,count=exact")},
		{name: "representation", body: good, headers: prefer("return=representation")},
		{name: "counted representation", body: good, headers: prefer("return=representation, count=exact")},
		{name: "chosen columns of the representation", query: "select=n:name,id,doc->k->>0&order=id.desc", body: good, headers: prefer("return=representation")},
		{name: "embed", query: "select=id,kinds(name)&order=id", body: array(whole, `{"id":2000,"kind":null,"name":null,"doc":null,"raw":null,"mood":null,"num":null,"at":null,"tags":null,"pair":null,"small":null,"parent":null}`), headers: prefer("return=representation")},
		{name: "all types", body: array(whole, strings.NewReplacer("%d", "2000", "%s", "x").Replace(whole))},
		{name: "missing columns are defaults", query: "columns=id,name,serial,made,must,who", body: good, headers: prefer("missing=default, return=representation")},
		{name: "defaults for all", body: good, headers: prefer("missing=default, return=minimal")},
		{name: "missing columns are null", query: "columns=id,name,made", body: array(row, `{"id":2000,"more":1}`), headers: prefer("return=representation")},
		{name: "one of the columns", query: "columns=id", body: good},
		{name: "rolled back", body: good, headers: prefer("tx=rollback, return=representation")},
		{name: "chunked", body: good, headers: []string{"Transfer-Encoding", "chunked"}},
		{name: "lines", body: uploadRows(row, "\n", "\r\n  \n"+`{"id":2000,"name":null,"doc":1}`, 0), headers: []string{"Content-Type", "application/x-ndjson"}},
		{name: "CSV", body: "id,name,doc\n" + uploadRows(csv, "", "2000,NULL,NULL\n", 0), headers: []string{"Content-Type", "text/csv"}},
		{name: "CSV into json", body: "id,raw,doc,name\n" + uploadRows(`%d,"{""k"" : 1}",17,"%s"`+"\n", "", "2000,x,,", 0), headers: []string{"Content-Type", "text/csv", "Prefer", "return=representation"}},
		{name: "CSV with defaults", body: "id,name,made\n" + uploadRows(`%d,"%s",NULL`+"\n", "", "", 0), headers: []string{"Content-Type", "text/csv", "Prefer", "missing=default,count=exact"}},
		{name: "rows as lines", query: "select=id,name,raw", body: array(whole, strings.NewReplacer("%d", "2000", "%s", "x").Replace(whole)), headers: []string{"Accept", "application/x-ndjson", "Prefer", "return=representation"}},
		{name: "rows as CSV", query: "select=id,name", body: good, headers: []string{"Accept", "text/csv", "Prefer", "return=representation"}},
		{name: "rows without nulls", query: "select=id,name,doc", body: good, headers: []string{"Accept", "application/vnd.pgrst.array+json;nulls=stripped", "Prefer", "return=representation"}},
		{name: "one object of many", body: good, headers: []string{"Accept", "application/vnd.pgrst.object+json", "Prefer", "return=representation"}},
		{name: "one object of many, unseen", body: good, headers: []string{"Accept", "application/vnd.pgrst.object+json"}},
		{name: "unacceptable", body: good, headers: []string{"Accept", "image/png"}},
		{name: "strict and known", body: good, headers: prefer("handling=strict, max-affected=1")},
		{name: "strict and unknown", body: good, headers: prefer("handling=strict, anything")},
		{name: "merged", body: array(row, `{"id":1001,"name":"merged","doc":[]}`), headers: prefer("resolution=merge-duplicates, return=representation")},
		{name: "merged only", query: "columns=id,name", body: "[" + uploadRows(row, ",", `{"id":1}]`, 1), headers: prefer("resolution=merge-duplicates")},
		{name: "merged by another column", query: "on_conflict=name", body: good, headers: prefer("resolution=merge-duplicates")},
		{name: "ignored", body: array(row, `{"id":1001,"name":"merged","doc":[]}`), headers: prefer("resolution=ignore-duplicates, return=representation, count=exact")},
		{name: "merged twice", body: array(row, `{"id":7,"name":"again","doc":[]}`), headers: prefer("resolution=merge-duplicates")},
		{name: "a row and its parent", body: late(`{"id":2000,"name":null},{"id":2001,"name":"x"}`)},

		{name: "key that is there", body: late(`{"id":17,"name":null}`)},
		{name: "type", body: late(`{"id":"x","name":null}`)},
		{name: "length", body: late(`{"id":2000,"name":"` + strings.Repeat("x", 5001) + `"}`)},
		{name: "check", body: late(`{"id":2000,"name":"bad"}`)},
		{name: "null key", body: late(`{"id":null,"name":"x"}`)},
		{name: "foreign key", body: array(`{"id":%d,"name":"%s","kind":1}`, `{"id":2000,"name":"x","kind":77}`)},
		{name: "domain", body: array(`{"id":%d,"name":"%s","small":1}`, `{"id":2000,"name":"x","small":7777777}`)},
		{name: "enum", body: array(`{"id":%d,"name":"%s","mood":"sad"}`, `{"id":2000,"name":"x","mood":"bored"}`)},
		{name: "identity", body: array(`{"id":%d,"name":"%s","always":1}`, `{"id":2000,"name":"x","always":7}`)},
		{name: "generated", body: array(`{"id":%d,"name":"%s","twice":1}`, `{"id":2000,"name":"x","twice":7}`)},
		{name: "unknown column", body: array(`{"id":%d,"name":"%s","nope":1}`, `{"id":2000,"name":"x","nope":7}`)},
		{name: "other keys", body: late(`{"id":2000}`)},
		{name: "no object", body: late(`7`)},
		{name: "broken", body: late(`{"id":2000,"name":`)},
		{name: "not ended", body: strings.TrimSuffix(good, "]")},
		{name: "more after the end", body: good + "x"},
		{name: "not UTF-8", body: late("{\"id\":2000,\"name\":\"\xff\"}")},
		{name: "NUL", body: late(`{"id":2000,"name":"\u0000"}`)},
		{name: "NUL in another column", query: "columns=id", body: late(`{"id":2000,"name":"\u0000"}`)},
		{name: "half a surrogate", body: late(`{"id":2000,"name":"\ud83d"}`)},
		{name: "broken, columns chosen", query: "columns=id,name", body: late(`{"id":2000,"name":oops}`)},
		{name: "no comma, columns chosen", query: "columns=id,name", body: late(`{"id":2000} {"id":2001}`)},
		{name: "not ended, columns chosen", query: "columns=id,name", body: strings.TrimSuffix(good, "]")},
		{name: "more after the end, columns chosen", query: "columns=id,name", body: good + " x"},
		{name: "no object, columns chosen", query: "columns=id,name", body: late(`7`)},
		{name: "not UTF-8, columns chosen", query: "columns=id,name", body: late("{\"id\":2000,\"name\":\"\xff\"}")},
		{name: "half a surrogate, columns chosen", query: "columns=id,name", body: late(`{"id":2000,"name":"\ud83d"}`)},
		{name: "another type of body", body: good, headers: []string{"Content-Type", "text/plain"}},
		{name: "CSV that is short", body: "id,name,doc\n" + uploadRows(csv, "", "2000,x\n", 0), headers: []string{"Content-Type", "text/csv"}},
		{name: "CSV that is broken", body: "id,name,doc\n" + uploadRows(csv, "", "2000,\"x\"y,\n", 0), headers: []string{"Content-Type", "text/csv"}},
		{name: "CSV with a NUL", body: "id,name,doc\n" + uploadRows(csv, "", "2000,\x00,\n", 0), headers: []string{"Content-Type", "text/csv"}},
		{name: "lines that are broken", body: uploadRows(row, "\n", `{"id":2000,"name":null,"doc":1`+"\n}", 0), headers: []string{"Content-Type", "application/x-ndjson"}},

		{name: "one large row", body: `[{"id":1,"doc":["` + strings.Repeat("x", 1<<21) + `"]}]`, headers: prefer("return=headers-only")},
		{name: "one large row, seen", body: `[{"id":1,"doc":["` + strings.Repeat("x", 1<<21) + `"]}]`, headers: []string{"Accept", "application/vnd.pgrst.object+json", "Prefer", "return=representation"}},
		{name: "an object", body: `{"id":1,"doc":["` + strings.Repeat("x", 1<<21) + `"]}`, headers: prefer("return=representation")},
		{name: "empty objects", body: "[" + strings.Repeat(`{ },`, 1<<18) + `{}]`},
		{name: "an array of numbers", body: "[" + strings.Repeat("1,", 1<<20) + "1]"},
		{name: "an array of numbers, columns chosen", query: "columns=id", body: "[" + strings.Repeat("1,", 1<<20) + "1]"},
	}
	return list
}

// TestUploadsAreInserts posts large bodies to a table that can be copied to, to one that is filled from a temporary table,
// and to that one as one statement, as without the right to make temporary tables: all that can be seen must be the same.
func TestUploadsAreInserts(t *testing.T) {
	t.Parallel()
	s := serveDataAPI(t, "PGRST_DB_TX_END=commit-allow-override")
	s.db.Exec(t, fmt.Sprintf(uploads, s.role, s.db.Name))
	s.waitFor(t, "/plain")
	post := func(u upload, table string) string {
		t.Helper()
		s.db.Exec(t, uploadReset)
		headers := append([]string{"Content-Type", "application/json", "Accept-Encoding", "identity"}, u.headers...)
		got := ask(t, "POST", s.url+"/"+table+"?"+u.query, u.body, headers...)
		got.header.Del("Date")
		got.header.Del("X-Fired") // which is set too late for the statement to see it
		return strings.ReplaceAll(describe(got)+s.contents(t, table), "ruled", "plain")
	}
	for _, u := range uploadCases() {
		s.db.Exec(t, fmt.Sprintf("REVOKE TEMPORARY ON DATABASE %q FROM PUBLIC", s.db.Name))
		want := post(u, "ruled")
		s.db.Exec(t, fmt.Sprintf("GRANT TEMPORARY ON DATABASE %q TO PUBLIC", s.db.Name))
		for _, table := range []string{"ruled", "plain"} {
			if got := post(u, table); got != want {
				t.Errorf("%s, %s:\n got %s\nwant %s", u.name, table, got, want)
			}
		}
		t.Logf("%s: %.150s", u.name, want)
	}
	if got := ask(t, "GET", s.url+"/plain?limit=1", ""); got.status != http.StatusOK {
		t.Errorf("afterwards: %d %s", got.status, got.body)
	}
}

// describe is an answer, with a digest of what is long.
func describe(a answer) string {
	body := a.body
	if len(body) > 500 {
		body = fmt.Sprintf("%.100s … %s %x", body, body[len(body)-100:], sha256.Sum256([]byte(body)))
	}
	return fmt.Sprintf("%d %s %v", a.status, body, a.header)
}

// contents is a digest of a table, and what its trigger saw.
func (s *dataAPI) contents(t testing.TB, table string) string {
	t.Helper()
	var out string
	err := s.db.Conn(t).QueryRow(t.Context(), fmt.Sprintf(`SELECT concat_ws(' ', count(*), md5(string_agg(replace(r::text, ctid::text, ''), ';' ORDER BY id)),
		(SELECT string_agg(rows::text, ',') FROM api.fired)) FROM api.%s r`, table)).Scan(&out)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
