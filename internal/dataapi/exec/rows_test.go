package exec_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/dataapi/exec"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

const many = 100_000

func rows(sql string) *sqlgen.Query {
	return &sqlgen.Query{Main: sqlgen.Statement{SQL: sql}, Rows: sqlgen.JSONRows, ReadOnly: true}
}

func TestRowsGoToTheSink(t *testing.T) {
	w := newWorld(t)
	var (
		parts int
		body  strings.Builder
	)
	q := rows("SELECT n, repeat('x', 20) AS s FROM generate_series(1, 100000) n")
	res, err := w.runner.RunRows(t.Context(), session(w.ann), q, func(part []byte) error {
		parts++
		body.Write(part)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	body.Write(res.Row.Body)
	var got []struct{ N int }
	if err := json.Unmarshal([]byte(body.String()), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != many || got[0].N != 1 || got[many-1].N != many || res.Row.Page != many {
		t.Errorf("%d rows, Page %d", len(got), res.Row.Page)
	}
	if parts < 2 || !res.Streamed {
		t.Errorf("%d parts, streamed %t", parts, res.Streamed)
	}
	w.clean(t)
}

func TestFewRowsStay(t *testing.T) {
	w := newWorld(t)
	set := schema.Setting{Name: "response.status", Value: "201"}
	res, err := w.runner.RunRows(t.Context(), session(w.ann, set), rows("SELECT 1 AS a, NULL AS b WHERE true"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(res.Row.Body); got != `[{"a":1,"b":null}]` || res.Streamed || res.Row.Page != 1 || res.Row.Status != "201" {
		t.Errorf("%s, streamed %t, page %d, status %q", got, res.Streamed, res.Row.Page, res.Row.Status)
	}
	w.runner.Recycle(res)
	if res, err = w.runner.RunRows(t.Context(), session(w.ann), rows("SELECT 1 AS a WHERE false"), nil); err != nil || string(res.Row.Body) != "[]" {
		t.Errorf("%s %v", res.Row.Body, err)
	}
}

func TestRowsThatFail(t *testing.T) {
	w := newWorld(t)
	enough := errors.New("enough")
	t.Run("the sink", func(t *testing.T) {
		calls := 0
		res, err := w.runner.RunRows(t.Context(), session(w.ann), rows("SELECT n, repeat('x', 100) AS s FROM generate_series(1, 10000000) n"), func([]byte) error {
			calls++
			return enough
		})
		if !errors.Is(err, enough) || !res.Streamed || calls != 1 {
			t.Errorf("%v after %d calls", err, calls)
		}
		w.clean(t)
	})
	t.Run("in the middle", func(t *testing.T) {
		res, err := w.runner.RunRows(t.Context(), session(w.ann), rows("SELECT 1 / (n - 90000) AS n, repeat('x', 20) AS s FROM generate_series(1, 100000) n"), func([]byte) error { return nil })
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Code != "22012" || !res.Streamed {
			t.Errorf("%v, streamed %t", err, res.Streamed)
		}
		w.clean(t)
	})
	t.Run("an unknown type", func(t *testing.T) {
		_, err := w.runner.RunRows(t.Context(), session(w.ann), rows("SELECT ARRAY[1] AS a"), nil)
		if !errors.Is(err, exec.ErrUnknownType) {
			t.Error(err)
		}
		w.clean(t)
	})
}

// What nothing can have set of the response isn't asked for, but once on each connection, where it can be set for all.
func TestQuietQueries(t *testing.T) {
	for _, set := range []string{"", `[{"X-All": "yes"}]`} {
		w := newWorld(t)
		if set != "" {
			w.db.Exec(t, `ALTER ROLE `+sqlgen.QuoteIdent(w.login)+` SET response.headers = '`+set+`'`)
		}
		for i := range 3 {
			asked := false
			s := session(w.ann)
			s.Quiet, s.Sent = true, func(sql string) { asked = asked || strings.Contains(sql, "current_setting") }
			q := rows("SELECT 1 AS a")
			q.Quiet = true
			res, err := w.runner.RunRows(t.Context(), s, q, nil)
			if err != nil || string(res.Row.Headers) != set {
				t.Errorf("%v, headers %s", err, res.Row.Headers)
			}
			if want := i == 0 || set != ""; asked != want {
				t.Errorf("%q, request %d: asked %t", set, i, asked)
			}
		}
	}
}
