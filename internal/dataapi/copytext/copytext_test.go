package copytext_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/copytext"
	"github.com/tarn-data/tarn/internal/pgtest"
)

func TestText(t *testing.T) {
	columns := []copytext.Column{{Name: "a"}, {Name: "j", JSON: true}, {Name: `q"k`}}
	for _, c := range []struct{ in, want string }{
		{`[]`, ""},
		{` [ ] `, ""},
		{`[{}]`, "\\N\t\\N\t\\N\n"},
		{`[{"a":1,"j":{"x": [1, "]"]},"q\"k":"v"}]`, "1\t{\"x\": [1, \"]\"]}\tv\n"},
		{`[{"a":"tab\tnewline\nback\\slash \"q\" \u00e9 \ud83d\ude00","j":"s\\n"}, {"a":null,"b":0,"a":true}]`,
			"tab\\tnewline\\nback\\\\slash \"q\" é 😀\t\"s\\\\\\\\n\"\t\\N\ntrue\t\\N\t\\N\n"},
		{`[{"a":{"k" : 1}},{"a":-1.5e3}]`, "{\"k\" : 1}\t\\N\t\\N\n-1.5e3\t\\N\t\\N\n"},
	} {
		got, err := io.ReadAll(copytext.NewReader([]byte(c.in), columns))
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\n got %q %v\nwant %q", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{``, `{}`, `1`, `[1]`, `[{}`, `[{}]x`, `[{"a":"\u0000"}]`, `[{"a":"\ud83d"}]`, "[{\"a\":\"\xff\"}]", `[{"j":"\u0000"}]`, `[{"a"}]`} {
		if _, err := io.ReadAll(copytext.NewReader([]byte(in), columns)); !errors.Is(err, copytext.ErrUnfit) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// FuzzAsRecordset compares the rows that COPY makes of our text with those that json_to_recordset makes of the payload.
func FuzzAsRecordset(f *testing.F) {
	db := pgtest.New(f)
	conn := db.Conn(f)
	const types = "a text, j json, b jsonb, n numeric, i int, o bool, d date"
	db.Exec(f, "CREATE TABLE here ("+types+"); CREATE TABLE there ("+types+")")
	columns := []copytext.Column{{Name: "a"}, {Name: "j", JSON: true}, {Name: "b", JSON: true}, {Name: "n"}, {Name: "i"}, {Name: "o"}, {Name: "d"}}
	for _, seed := range []string{
		`[{"a":"x\ty\\z\n\u00e9","j":{"k":"\\"},"b":"s","n":1.50,"i":7,"o":true,"d":"2024-01-01"},{"a":null}]`,
		`[{"a":{"k" : [1]},"j":" \u0041 ","b":null,"n":"1e3","i":"5","o":"yes"}]`, `[{"a":1,"a":2}]`, `[]`, `[{"a":"\\N"},{"a":"\\."}]`, `[{"a":""}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if !json.Valid(payload) {
			return
		}
		ctx := context.Background()
		tx, err := conn.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(ctx) }()
		if _, err := tx.Conn().PgConn().CopyFrom(ctx, copytext.NewReader(payload, columns), "COPY here FROM STDIN"); err != nil {
			return // then the usual way is taken
		}
		if _, err := tx.Exec(ctx, "INSERT INTO there SELECT * FROM json_to_recordset($1::json) AS _ ("+types+")", string(payload)); err != nil {
			t.Fatalf("COPY takes what json_to_recordset refuses: %v: %s", err, payload)
		}
		if here, there := rows(t, tx, "here"), rows(t, tx, "there"); here != there {
			t.Errorf("%s:\n got %s\nwant %s", payload, here, there)
		}
	})
}

func rows(t *testing.T, tx pgx.Tx, table string) string {
	t.Helper()
	var out string
	if err := tx.QueryRow(context.Background(), "SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM "+table+" t").Scan(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func BenchmarkReader(b *testing.B) {
	payload := []byte("[" + strings.Repeat(`{"id":12345,"name":"item 12345","price":12.50,"attrs":{"k": 1}},`, 10_000) + "{}]")
	columns := []copytext.Column{{Name: "attrs", JSON: true}, {Name: "id"}, {Name: "name"}, {Name: "price"}}
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if _, err := io.Copy(io.Discard, bufferless{copytext.NewReader(payload, columns)}); err != nil {
			b.Fatal(err)
		}
	}
}

// bufferless hides a reader's other abilities.
type bufferless struct{ io.Reader }
