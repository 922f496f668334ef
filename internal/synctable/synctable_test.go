package synctable_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/parquet-go/parquet-go"

	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/synctable"
)

func nothing(int64) {}

func target() synctable.Target {
	return synctable.Target{ID: 7, Schema: "public", Table: "copy", PrimaryKey: []string{"id"}, Comment: "it's a copy"}
}

func text(t *testing.T, conn *pgx.Conn, sql string) string {
	t.Helper()
	var out string
	if err := conn.QueryRow(t.Context(), "SELECT coalesce(string_agg(r::text, ' ' ORDER BY r::text), '') FROM ("+sql+") r").Scan(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

type op func(*testing.T, *pgtest.DB, synctable.Target) (synctable.Result, error)

func snapshot(t *testing.T, db *pgtest.DB, to synctable.Target) (synctable.Result, error) {
	src := synctable.NewPostgres(db.Conn(t), "public", "source")
	defer src.Close()
	return synctable.Snapshot(t.Context(), db.Conn(t), src, to, nothing)
}

func merge(t *testing.T, db *pgtest.DB, to synctable.Target) (synctable.Result, error) {
	src := synctable.NewPostgres(db.Conn(t), "public", "source")
	defer src.Close()
	return synctable.Merge(t.Context(), db.Conn(t), src, to, nothing)
}

func TestSnapshotAndMerge(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]op{"snapshot": snapshot, "merge": merge} {
		t.Run(name, func(t *testing.T) {
			db := pgtest.New(t)
			reader := db.Role(t, "LOGIN")
			db.Exec(t, `CREATE TABLE source (id int, name text, "a ""b" json, PRIMARY KEY (id));
				INSERT INTO source SELECT n, 'n' || n, '{"n":1}' FROM generate_series(1, 1000) n`)
			to := target()
			to.Readers = []string{reader}
			res, err := again(t, db, to)
			if err != nil || res.Rows != 1000 {
				t.Fatal(res, err)
			}
			conn := db.Conn(t)
			// What people make on the table stays: a policy, a view, a grant.
			db.Exec(t, `ALTER TABLE copy ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON copy USING (id <= 3);
				CREATE VIEW seen AS SELECT id FROM copy`)
			db.Exec(t, `UPDATE source SET name = 'changed' WHERE id = 2; DELETE FROM source WHERE id = 1; INSERT INTO source VALUES (2000, 'new', NULL)`)
			res, err = again(t, db, to)
			if err != nil {
				t.Fatal(err)
			}
			if name == "merge" && (res.Inserted != 1 || res.Updated != 1 || res.Deleted != 1 || res.Rows != 1000) {
				t.Error(res)
			}
			if got, want := text(t, conn, "SELECT * FROM copy"), text(t, conn, "SELECT * FROM source"); got != want {
				t.Error("the copy differs")
			}
			if got := text(t, db.ConnAs(t, reader), "SELECT id, name FROM copy"); got != "(2,changed) (3,n3)" {
				t.Error(got)
			}
			if got := text(t, conn, "SELECT count(*) FROM seen"); got != "(1000)" {
				t.Error(got)
			}
			if got := text(t, conn, "SELECT count(*) FROM pg_class WHERE relnamespace = 'tarn_sync'::regnamespace AND relkind = 'r'"); got != "(1)" {
				t.Error("left:", got)
			}
		})
	}
}

// TestStored: a view, whose functions would run with the reader's rights, is no stored table, also in a table's place.
func TestStored(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	copyIt := func() error {
		src := synctable.NewStored(db.Conn(t), "public", "source")
		defer src.Close()
		_, err := synctable.Merge(t.Context(), db.Conn(t), src, target(), nothing)
		return err
	}
	db.Exec(t, "CREATE TABLE source (id int PRIMARY KEY); INSERT INTO source VALUES (1)")
	if err := copyIt(); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, `DROP TABLE source; CREATE TABLE ran (); CREATE FUNCTION run() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DROP TABLE ran; RETURN 1; END $$;
		CREATE VIEW source AS SELECT run() AS id`)
	if err := copyIt(); err == nil || !strings.Contains(err.Error(), "no source table") {
		t.Error(err)
	}
	db.Exec(t, "DROP VIEW source")
	if err := copyIt(); err == nil || !strings.Contains(err.Error(), "no source table") {
		t.Error(err)
	}
	if got := text(t, db.Conn(t), "SELECT to_regclass('ran') IS NOT NULL, (SELECT count(*) FROM copy)"); got != "(t,1)" {
		t.Error(got)
	}
}

func TestColumnsThatChange(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "CREATE TABLE source (id int PRIMARY KEY, gone text); INSERT INTO source VALUES (1, 'x')")
	if _, err := merge(t, db, target()); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "ALTER TABLE source DROP COLUMN gone; ALTER TABLE source ADD COLUMN came numeric DEFAULT 1.5")
	if _, err := merge(t, db, target()); err != nil {
		t.Fatal(err)
	}
	if got := text(t, db.Conn(t), "SELECT to_json(copy) FROM copy"); got != `("{""id"":1,""came"":1.5}")` {
		t.Error(got)
	}
}

func TestWhatCantBeCopied(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "CREATE TABLE source (id int, at int); INSERT INTO source VALUES (1, 1), (1, 2), (2, 5)")
	refused := func(to synctable.Target, want string) {
		t.Helper()
		for _, run := range []op{snapshot, merge} {
			if _, err := run(t, db, to); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		}
	}
	refused(target(), "several rows with one primary key")
	to := target()
	to.PrimaryKey = []string{"nope"}
	refused(to, `no column "nope"`)
	to = target()
	to.Table = "source"
	refused(to, "already")
	if got := text(t, db.Conn(t), "SELECT relname FROM pg_class WHERE relname LIKE 't7%' OR relname = 'copy'"); got != "" {
		t.Error("left:", got)
	}
	to = target()
	to.Latest = "at"
	if res, err := snapshot(t, db, to); err != nil || res.Rows != 2 {
		t.Error(res, err)
	}
	if got := text(t, db.Conn(t), "SELECT * FROM copy"); got != "(1,2) (2,5)" {
		t.Error(got)
	}
	db.Exec(t, "INSERT INTO source VALUES (1, 3)")
	if res, err := merge(t, db, to); err != nil || res.Updated != 1 || res.Inserted != 0 {
		t.Error(res, err)
	}
}

// TestReadersSeeOneState: while a snapshot is swapped in, nobody sees a part of it.
func TestReadersSeeOneState(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "CREATE TABLE source (id int PRIMARY KEY, round int); INSERT INTO source SELECT n, 0 FROM generate_series(1, 500) n")
	if _, err := snapshot(t, db, target()); err != nil {
		t.Fatal(err)
	}
	stop, seen := make(chan struct{}), make(chan error, 1)
	conn := db.Conn(t)
	go func() {
		for {
			var rows, rounds int
			err := conn.QueryRow(t.Context(), "SELECT count(*), count(DISTINCT round) FROM copy").Scan(&rows, &rounds)
			if err == nil && (rows != 500 || rounds != 1) {
				err = fmt.Errorf("%d rows of %d rounds", rows, rounds)
			}
			select {
			case <-stop:
				seen <- err
				return
			default:
			}
			if err != nil {
				seen <- err
				return
			}
		}
	}()
	for range 5 {
		db.Exec(t, "UPDATE source SET round = round + 1")
		if _, err := snapshot(t, db, target()); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := <-seen; err != nil {
		t.Error(err)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	path := filepath.Join(t.TempDir(), "x.csv")
	const file = "\ufeffid,zip,price,ok,day,at,note\n1,01234,1.50,true,2026-01-02,2026-01-02T03:04:05Z,\"a\nb\"\n2,99999,2,false,2026-01-03,2026-01-02T03:04:05+01:00,\n"
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	src := synctable.NewCSV(f)
	defer src.Close()
	columns, err := src.Columns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(columns); got != "[{id bigint} {zip text} {price numeric} {ok boolean} {day date} {at timestamptz} {note text}]" {
		t.Error(got)
	}
	if f, err = os.Open(path); err != nil {
		t.Fatal(err)
	}
	again := synctable.NewCSV(f)
	defer again.Close()
	if _, err := synctable.Snapshot(t.Context(), db.Conn(t), again, target(), nothing); err != nil {
		t.Fatal(err)
	}
	if got := text(t, db.Conn(t), "SELECT id, zip, price, ok, day, extract(epoch FROM at)::bigint, note FROM copy"); got != "(1,01234,1.50,t,2026-01-02,1767323045,\"a\nb\") (2,99999,2,f,2026-01-03,1767319445,)" {
		t.Error(got)
	}
}

func TestParquet(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	type row struct {
		ID    int64     `parquet:"id"`
		Name  *string   `parquet:"name,optional"`
		Price int64     `parquet:"price,decimal(2:18)"`
		At    time.Time `parquet:"at,timestamp(microsecond)"`
		F     float64   `parquet:"f"`
		OK    bool      `parquet:"ok"`
		Raw   []byte    `parquet:"raw"`
		J     string    `parquet:"j,json"`
	}
	name := "a\tb\\c\nd"
	path := filepath.Join(t.TempDir(), "x.parquet")
	rows := []row{
		{1, &name, -150, time.Unix(1767323045, 123456000).UTC(), 0.5, true, []byte{0, 255}, `{"k": "a\\b"}`},
		{2, nil, 5, time.Unix(-5, 500000000).UTC(), -1e300, false, nil, "[]"},
	}
	if err := parquet.WriteFile(path, rows); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	src := synctable.NewParquet(f)
	defer src.Close()
	if res, err := synctable.Snapshot(t.Context(), db.Conn(t), src, target(), nothing); err != nil || res.Rows != 2 {
		t.Fatal(res, err)
	}
	got := text(t, db.Conn(t), "SELECT id, name, price, extract(epoch FROM at) AS at, f, ok, raw, j FROM copy")
	want := `(1,"a	b\\c
d",-1.50,1767323045.123456,0.5,t,"\\x00ff","{""k"": ""a\\\\b""}") (2,,0.05,-4.500000,-1e+300,f,"\\x",[])`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
