package pg_test

import (
	"context"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pg"
	"github.com/tarn-data/tarn/internal/pgtest"
)

func TestWatchDDL(t *testing.T) {
	db := pgtest.New(t)
	super := db.Conn(t)
	for range 2 { // the second time nothing is left to do
		if err := pg.WatchDDL(t.Context(), super); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := super.Exec(t.Context(), "LISTEN pgrst"); err != nil {
		t.Fatal(err)
	}
	owner := db.Role(t, "LOGIN")
	db.Exec(t, `GRANT CREATE ON DATABASE "`+db.Name+`" TO "`+owner+`"`)
	drain := func() { // what the grant itself notified of
		for {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			_, err := super.WaitForNotification(ctx)
			cancel()
			if err != nil {
				return
			}
		}
	}
	drain()
	user := db.ConnAs(t, owner)
	for _, c := range []struct {
		sql   string
		heard bool
	}{
		{"CREATE SCHEMA pgrst", true},
		{"CREATE TABLE pgrst.t (id int)", true},
		{"INSERT INTO pgrst.t VALUES (1)", false},
		{"ALTER TABLE pgrst.t ADD name text", true},
		{"CREATE TEMPORARY TABLE tmp (id int)", false},
		{"DROP TABLE tmp", false},
		{"DROP SCHEMA pgrst CASCADE", true},
	} {
		if _, err := user.Exec(t.Context(), c.sql); err != nil {
			t.Fatalf("%s: %v", c.sql, err)
		}
		wait := 5 * time.Second
		if !c.heard {
			wait = 100 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		n, err := super.WaitForNotification(ctx)
		cancel()
		if (err == nil) != c.heard {
			t.Errorf("%s: notified %v, error %v", c.sql, n, err)
		}
		drain()
		if super.IsClosed() {
			t.Fatal("the listener is closed")
		}
	}
}
