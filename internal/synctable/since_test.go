package synctable_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/synctable"
)

func TestSince(t *testing.T) {
	t.Parallel()
	for _, typing := range []string{"timestamptz(3)", "timestamp", "date"} {
		t.Run(typing, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			db.Exec(t, "CREATE TABLE source (id int PRIMARY KEY, n int, at "+typing+"); INSERT INTO source SELECT n, n, now() - interval '10 days' - n * interval '1 hour' FROM generate_series(1, 1000) n")
			to := target()
			to.Latest = "at"
			pace := synctable.Pace{Overlap: time.Minute, Keys: time.Hour, Whole: 24 * time.Hour}
			sync := func(want synctable.Result) {
				t.Helper()
				src := synctable.NewStored(db.Conn(t), "public", "source")
				defer src.Close()
				if res, err := synctable.Since(t.Context(), db.Conn(t), src, to, pace, nothing); err != nil || res != want {
					t.Fatalf("%+v, %v, want %+v", res, err, want)
				}
			}
			differs := func(want string) {
				t.Helper()
				if got := text(t, db.Conn(t), "(TABLE source EXCEPT TABLE copy) UNION ALL (TABLE copy EXCEPT TABLE source)"); got != want {
					t.Fatalf("%s, want %s", got, want)
				}
			}
			sync(synctable.Result{Rows: 1000, Inserted: 1000})
			db.Exec(t, "UPDATE source SET n = 0, at = now() WHERE id = 500; INSERT INTO source VALUES (2000, 1, now()), (2001, 1, NULL)")
			sync(synctable.Result{Rows: 1002, Inserted: 2, Updated: 1})
			differs("")
			sync(synctable.Result{Rows: 1002})
			// What has an old time isn't read, which shows that the rest isn't.
			db.Exec(t, "UPDATE source SET n = -1 WHERE id = 600")
			sync(synctable.Result{Rows: 1002})
			if got := text(t, db.Conn(t), "SELECT n FROM copy WHERE id = 600"); got != "(600)" {
				t.Error(got)
			}
			db.Exec(t, "UPDATE source SET n = 600 WHERE id = 600; DELETE FROM source WHERE id <= 10; UPDATE source SET id = 3000, at = now() WHERE id = 20")
			sync(synctable.Result{Rows: 1003, Inserted: 1}) // deletions are yet to be found
			pace.Keys = 0
			sync(synctable.Result{Rows: 992, Deleted: 11})
			differs("")
			// A row that comes later than the overlap is found by its key, and then all that isn't the same.
			db.Exec(t, "INSERT INTO source VALUES (4000, 1, now() - interval '20 days'); UPDATE source SET n = -1 WHERE id = 600")
			sync(synctable.Result{Rows: 993, Inserted: 1, Updated: 1})
			differs("")
			// A time that is yet to come hides nothing.
			pace.Keys = time.Hour
			db.Exec(t, "UPDATE source SET at = now() + interval '10 years' WHERE id = 30; UPDATE source SET at = 'infinity' WHERE id = 31")
			sync(synctable.Result{Rows: 993, Updated: 2})
			db.Exec(t, "UPDATE source SET n = -5, at = now() WHERE id = 32")
			sync(synctable.Result{Rows: 993, Updated: 1})
			differs("")
			pace.Whole = 0
			db.Exec(t, "UPDATE source SET n = -1 WHERE id = 601; ALTER TABLE source ADD COLUMN came int DEFAULT 3")
			sync(synctable.Result{Rows: 993, Inserted: 993})
			differs("")
		})
	}
}

// TestSinceOfVersions: a number isn't followed, since each row may count its own versions.
func TestSinceOfVersions(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "CREATE TABLE source (id int PRIMARY KEY, version int)")
	to := target()
	to.Latest = "version"
	src := synctable.NewStored(db.Conn(t), "public", "source")
	defer src.Close()
	_, err := synctable.Since(t.Context(), db.Conn(t), src, to, synctable.Pace{}, nothing)
	if unfit := (*synctable.Unfit)(nil); !errors.As(err, &unfit) || !strings.Contains(unfit.Reason, "no time") {
		t.Error(err)
	}
}
