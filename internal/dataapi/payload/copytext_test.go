package payload_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/payload"
	"github.com/tarn-data/tarn/internal/pgtest"
)

const maxRow = 1 << 20

// text is the text of a payload's rows, for columns that the client chose.
func text(t testing.TB, in io.Reader, columns []payload.Column) (*payload.Text, error) {
	t.Helper()
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	rows, err := payload.OpenJSON(in, names, maxRow)
	if err != nil {
		return nil, err
	}
	return payload.NewText(rows, columns), nil
}

func TestText(t *testing.T) {
	columns := []payload.Column{{Name: "a"}, {Name: "j", JSON: true}, {Name: `q"k`}}
	for _, c := range []struct{ in, want string }{
		{`[{}]`, "\\N\t\\N\t\\N\n"},
		{`[{"a":1,"j":{"x": [1, "]"]},"q\"k":"v"}]`, "1\t{\"x\": [1, \"]\"]}\tv\n"},
		{` [ {"a":"tab\tnewline\nback\\slash \"q\" \u00e9 \ud83d\ude00","j":"s\\n"}, {"a":null,"b":0,"a":true} ] `,
			"tab\\tnewline\\nback\\\\slash \"q\" é 😀\t\"s\\\\\\\\n\"\t\\N\ntrue\t\\N\t\\N\n"},
		{`[{"a":{"k" : 1} } , {"a":-1.5e3 }]`, "{\"k\" : 1}\t\\N\t\\N\n-1.5e3\t\\N\t\\N\n"},
		{`[{"a":"\\u0000"}]`, "\\\\u0000\t\\N\t\\N\n"},
	} {
		for _, in := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in)), iotest.DataErrReader(strings.NewReader(c.in))} {
			r, err := text(t, in, columns)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != c.want {
				t.Errorf("%s:\n got %q %v\nwant %q", c.in, got, err, c.want)
			}
		}
	}
	for _, in := range []string{``, `{}`, `1`, `[1]`, `[]`, `[{}`, `[`, `[{`} {
		r, err := text(t, strings.NewReader(in), columns)
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if unfit := (&payload.UnfitError{}); !errors.Is(err, payload.ErrWhole) && !errors.As(err, &unfit) {
			t.Errorf("%s: %v", in, err)
		}
	}
	for in, excerpt := range map[string]string{
		`[{}]x`: `[{}]x`, `[{}, {}`: `[{}`, `[{"a":"\u0000"}]`: `[{"a":"\u0000"}]`, `[{"a":1},{"j":"\u0000"} , {}]`: `[{"j":"\u0000"}]`,
		`[{}, {"a":"\ud83d"}]`: `[{}, {"a":"\ud83d"}]`, "[{},{\"a\":\"\xff\"}]": "[{},{\"a\":\"\xff\"}]",
		`[{"a":1} , {"a"}, {"a":2}]`: `[{}, {"a"}, {"a":2}]`, `[{"a":1},7,x`: `[{},7]`,
	} {
		r, err := text(t, iotest.HalfReader(strings.NewReader(in)), columns)
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		_, err = io.ReadAll(r)
		if unfit := (&payload.UnfitError{}); !errors.As(err, &unfit) || string(unfit.Text) != excerpt {
			t.Errorf("%s: %v, %s", in, err, unfit.Text)
		}
	}
}

// FuzzAsRecordset compares the rows that COPY makes of our text with those that json_to_recordset makes of the payload.
func FuzzAsRecordset(f *testing.F) {
	db := pgtest.New(f)
	conn := db.Conn(f)
	const types = "a text, j json, b jsonb, n numeric, i int, o bool, d date"
	db.Exec(f, "CREATE TABLE here ("+types+"); CREATE TABLE there ("+types+")")
	columns := []payload.Column{{Name: "a"}, {Name: "j", JSON: true}, {Name: "b", JSON: true}, {Name: "n"}, {Name: "i"}, {Name: "o"}, {Name: "d"}}
	for _, seed := range []string{
		`[{"a":"x\ty\\z\n\u00e9","j":{"k":"\\"},"b":"s","n":1.50,"i":7,"o":true,"d":"2024-01-01"},{"a":null}]`,
		`[{"a":{"k" : [1]},"j":" \u0041 ","b":null,"n":"1e3","i":"5","o":"yes"}]`, `[{"a":1,"a":2}]`, `[]`, `[{"a":"\\N"},{"a":"\\."}]`, `[{"a":""}]`,
		`[{"j":{"k":"\u0000"}}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) {
			return
		}
		ctx := context.Background()
		tx, err := conn.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(ctx) }()
		r, err := text(t, iotest.HalfReader(strings.NewReader(string(body))), columns)
		if err != nil {
			return // then it is held as a whole
		}
		if _, err := tx.Conn().PgConn().CopyFrom(ctx, r, "COPY here FROM STDIN"); err != nil {
			return // then it is refused
		}
		if _, err := tx.Exec(ctx, "INSERT INTO there SELECT * FROM json_to_recordset($1::json) AS _ ("+types+")", string(body)); err != nil {
			t.Fatalf("COPY takes what json_to_recordset refuses: %v: %s", err, body)
		}
		if here, there := table(t, tx, "here"), table(t, tx, "there"); here != there {
			t.Errorf("%s:\n got %s\nwant %s", body, here, there)
		}
	})
}

func table(t *testing.T, tx pgx.Tx, name string) string {
	t.Helper()
	var out string
	if err := tx.QueryRow(context.Background(), "SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM "+name+" t").Scan(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func BenchmarkText(b *testing.B) {
	body := "[" + strings.Repeat(`{"id":12345,"name":"item 12345","price":12.50,"attrs":{"k": 1}},`, 10_000) + "{}]"
	columns := []payload.Column{{Name: "attrs", JSON: true}, {Name: "id"}, {Name: "name"}, {Name: "price"}}
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		r, err := text(b, strings.NewReader(body), columns)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}
