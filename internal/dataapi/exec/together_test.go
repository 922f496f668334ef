package exec_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/dataapi/exec"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
	"github.com/tarn-data/tarn/internal/pg"
)

// newQuietWorld is a shared world with tables that nobody's code has a part in: one that both roles may read and one that
// only ann may, each with the rows of both.
func newQuietWorld(t *testing.T, size, shared int) *world {
	t.Helper()
	w := newSharedWorld(t, size, shared)
	w.db.Exec(t, `CREATE TABLE open (id int PRIMARY KEY, owner text); INSERT INTO open VALUES (1, 'x'), (2, 'y');
		CREATE TABLE closed (id int PRIMARY KEY, owner text); INSERT INTO closed VALUES (1, 'x'), (2, 'y');
		GRANT SELECT ON open TO `+sqlgen.QuoteIdent(w.ann)+`, `+sqlgen.QuoteIdent(w.bob)+`; GRANT SELECT ON closed TO `+sqlgen.QuoteIdent(w.ann))
	return w
}

// quiet is a brief read of rows by which no code of the database's users runs.
func quiet(table, columns, id string) *sqlgen.Query {
	main := "SELECT " + columns + " FROM " + table + " WHERE id = $1"
	return &sqlgen.Query{
		Main: sqlgen.Statement{SQL: main, Args: []sqlgen.Arg{{Value: []byte(id)}}},
		Bare: main + " AND " + table + ".tableoid IS NOT NULL", Rows: sqlgen.JSONRows, ReadOnly: true, Quiet: true, Brief: true,
	}
}

// quietly is a session in which nobody's code has a part.
func quietly(role string, more ...schema.Setting) exec.Session {
	s := session(role)
	names, others := []string{"search_path", exec.SetRole}, []string(nil)
	for _, m := range more {
		names, others = append(names, m.Name), append(others, m.Value)
	}
	s.Quiet, s.Settings = true, exec.NewSettings(names, len(s.Values))
	s.Others = func(values []string) []string { return slices.Concat(values, others) }
	return s
}

func (w *world) reads(ctx context.Context, s exec.Session, q *sqlgen.Query) (string, error) {
	res, err := w.runner.RunRows(ctx, s, q, nil)
	if err != nil {
		return "", err
	}
	defer w.runner.Recycle(res)
	return string(res.Row.Body), nil
}

// gets asks quietly and knows the answer.
func (w *world) gets(role string, q *sqlgen.Query, want string) func() error {
	return func() error {
		if got, err := w.reads(context.Background(), quietly(role), q); err != nil || got != want {
			return fmt.Errorf("%s: %q, %w", q.Main.SQL, got, err)
		}
		return nil
	}
}

func (w *world) refuses(role string, q *sqlgen.Query, code string) func() error {
	return func() error {
		_, err := w.reads(context.Background(), quietly(role), q)
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.Code != code {
			return fmt.Errorf("%s: %w", q.Main.SQL, err)
		}
		return nil
	}
}

const first, second = `[{"owner":"x"}]`, `[{"owner":"y"}]`

// TestTogether has many read who may be one transaction: they are, each has its answer, and what fails is the asker's only.
func TestTogether(t *testing.T) {
	w := newQuietWorld(t, 6, 2)
	var mu sync.Mutex
	transactions, answers := map[string]bool{}, 0
	l := w.load(t, 16, w.gets(w.ann, quiet("open", "owner", "1"), first), w.gets(w.bob, quiet("open", "owner", "2"), second),
		w.gets(w.ann, quiet("closed", "owner", "2"), second), w.refuses(w.bob, quiet("closed", "owner", "1"), "42501"),
		w.gets(w.ann, quiet("open", "owner", "3"), "[]"), w.refuses(w.ann, quiet("open", "owner", "one"), "22P02"),
		w.gets(w.ann, quiet("open", "owner", "1"), first), w.sees(w.bob, "2,3"), func() error {
			got, err := w.reads(context.Background(), quietly(w.ann), quiet("open", "pg_backend_pid() || ' ' || now() AS owner", "1"))
			mu.Lock()
			defer mu.Unlock()
			transactions[got] = true
			answers++
			return err
		})
	l.more(t, 5000)
	eventually(t, "transactions of several", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(transactions) < answers
	})
	l.end()
	w.sharing(t, 0)
}

// TestTogetherOnlyWithTheSame has requests with settings of their own that a read looks at: none has those of another.
func TestTogetherOnlyWithTheSame(t *testing.T) {
	w := newQuietWorld(t, 6, 2)
	var mu sync.Mutex
	of, several := map[string]string{}, false
	l := w.load(t, 16, func() error {
		path := fmt.Sprint(rand.IntN(3))
		read := quiet("open", "pg_backend_pid() || ' ' || now() || ' ' || current_setting('request.path') AS owner", "1")
		read.Bare = ""
		got, err := w.reads(context.Background(), quietly(w.ann, schema.Setting{Name: "request.path", Value: path}), read)
		if err != nil {
			return err
		}
		got = strings.TrimSuffix(got, `"}]`)
		tx, saw := got[:len(got)-2], got[len(got)-1:]
		mu.Lock()
		defer mu.Unlock()
		if before, ok := of[tx]; ok && before != path || saw != path {
			return fmt.Errorf("%s saw %s, in a transaction with %q", path, saw, before)
		} else if ok {
			several = true
		}
		of[tx] = path
		return nil
	})
	l.more(t, 5000)
	l.end()
	if !several {
		t.Error("no transaction was of several")
	}
}

// TestTogetherWithAnOldSchema has a table get row-level security, and become a view, while it is read as one that has none:
// whoever reads sees what is its own as soon as that is so.
func TestTogetherWithAnOldSchema(t *testing.T) {
	const own = "owner = current_setting('request.path', true)"
	for name, change := range map[string]string{
		"policy": "ALTER TABLE open ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON open USING (" + own + ")",
		"view": "BEGIN; ALTER TABLE open RENAME TO kept; CREATE VIEW open AS SELECT * FROM kept WHERE " + own +
			"; GRANT SELECT ON open TO PUBLIC; COMMIT",
	} {
		t.Run(name, func(t *testing.T) {
			w := newQuietWorld(t, 6, 2)
			var changed, outdated atomic.Bool
			w.runner.Outdated = func() { outdated.Store(true) }
			refused := w.load(t, 1, w.refuses(w.bob, quiet("closed", "owner", "1"), "42501")) // which is nothing new
			l := w.load(t, 16, func() error {
				was, who, id := changed.Load(), rand.IntN(2), rand.IntN(2)
				s := quietly(w.ann, schema.Setting{Name: "request.path", Value: []string{"x", "y"}[who]})
				got, err := w.reads(context.Background(), s, quiet("open", "owner", []string{"1", "2"}[id]))
				if err != nil {
					return err
				}
				seen := got == []string{first, second}[id]
				if !seen && got != "[]" || seen && who != id && was || !seen && who == id {
					return fmt.Errorf("%d got %s of %d, after the change: %v", who, got, id, was)
				}
				return nil
			})
			w.sharing(t, 2)
			l.more(t, 2000)
			refused.more(t, 100)
			if outdated.Load() {
				t.Error("the schema is taken for outdated")
			}
			w.db.Exec(t, change)
			changed.Store(true)
			l.more(t, 3000)
			if !outdated.Load() {
				t.Error("nobody was told")
			}
		})
	}
}

// TestTogetherWithOneThatWaits has a table locked that is read in transactions with another: who reads the other one doesn't
// notice, and who reads the table has an answer in the end.
func TestTogetherWithOneThatWaits(t *testing.T) {
	w := newQuietWorld(t, 8, 1)
	closed := w.gets(w.ann, quiet("closed", "owner", "2"), second)
	others := make([]*load, 6)
	for i := range others {
		others[i] = w.load(t, 1, w.gets(w.ann, quiet("open", "owner", "1"), first))
	}
	for range 15 {
		behind := w.load(t, 4, closed)
		behind.more(t, 50)
		conn, err := pg.Connect(t.Context(), w.db.URL, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE closed"); err != nil {
			t.Fatal(err)
		}
		for _, l := range others {
			l.more(t, 20)
		}
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
		behind.more(t, 10)
		behind.end()
	}
}

// TestTogetherWithWhoLeaves has clients go away of those who are one transaction.
func TestTogetherWithWhoLeaves(t *testing.T) {
	w := newQuietWorld(t, 6, 2)
	w.load(t, 12, w.gets(w.ann, quiet("open", "owner", "1"), first), w.gets(w.ann, quiet("closed", "owner", "2"), second), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(1500))*time.Microsecond)
		defer cancel()
		_, err := w.reads(ctx, quietly(w.ann), quiet("open", "owner", "2"))
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return nil
	}).more(t, 5000)
}
