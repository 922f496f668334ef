package pgtest

import (
	"sync"
	"testing"
)

// logical is a server whose log can be followed, the same for all tests of the process.
var logical = sync.OnceValues(func() (*Server, error) {
	return startServer(Options{Settings: []string{"wal_level=logical", "max_wal_senders=40", "max_replication_slots=80"}})
})

// NewLogical makes a database on a private server whose log can be followed.
func NewLogical(t testing.TB) *DB {
	t.Helper()
	s, err := logical()
	if err != nil {
		t.Fatalf("PostgreSQL for tests: %v", err)
	}
	db := s.NewDB(t)
	t.Cleanup(func() { // or the database couldn't be dropped
		run(t, s.URL, `DO $$ BEGIN FOR try IN 1..100 LOOP
			PERFORM pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = '`+db.Name+`' AND active;
			EXIT WHEN NOT EXISTS (SELECT FROM pg_replication_slots WHERE database = '`+db.Name+`' AND active);
			PERFORM pg_sleep(0.05);
		END LOOP; END $$`)
	})
	return db
}
