package exec_test

import (
	"strconv"
	"testing"

	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// A frequent value teaches PostgreSQL a plan that reads nearly all rows for a rare one. The second time that happens, the
// statement is planned for its values.
func TestSkewedValues(t *testing.T) {
	w := newWorld(t)
	w.db.Exec(t, `CREATE TABLE skewed (id int PRIMARY KEY, kind text);
		INSERT INTO skewed SELECT i, CASE WHEN i > 599990 THEN 'rare' ELSE 'common' END FROM generate_series(1, 600000) i;
		CREATE INDEX ON skewed (kind); ANALYZE skewed; GRANT SELECT ON skewed TO "`+w.ann+`"`)
	q := &sqlgen.Query{
		Main: sqlgen.Statement{SQL: "SELECT id, kind FROM skewed WHERE kind = $1 ORDER BY id LIMIT 5"},
		Rows: sqlgen.JSONRows, ReadOnly: true, Selective: true,
	}
	ask := func(kind string) {
		t.Helper()
		q.Main.Args = []sqlgen.Arg{{Value: []byte(kind)}}
		res, err := w.runner.RunRows(t.Context(), session(w.ann), q, nil)
		if err != nil || res.Row.Page != 5 {
			t.Fatalf("%s: %s, %v", kind, res.Row.Body, err)
		}
	}
	plans := func() (generic, custom int) {
		t.Helper()
		const counts = "SELECT generic_plans::text, custom_plans::text FROM pg_prepared_statements WHERE statement LIKE '%FROM skewed%'"
		err := w.runner.Query(t.Context(), session(w.ann), []sqlgen.Statement{{SQL: counts}}, func(_ int, v [][]byte) {
			generic, _ = strconv.Atoi(string(v[0]))
			custom, _ = strconv.Atoi(string(v[1]))
		})
		if err != nil {
			t.Fatal(err)
		}
		return generic, custom
	}
	for range 10 {
		ask("common")
	}
	before, _ := plans()
	if before == 0 {
		t.Fatal("the frequent value alone doesn't make a plan for all values; nothing can be learnt of the rare one")
	}
	ask("rare") // which is slow, and is noticed
	first, custom := plans()
	ask("rare")
	ask("common")
	if generic, now := plans(); generic != first || now != custom+2 {
		t.Errorf("after a slow run there were %d generic and %d custom plans more", generic-first, now-custom)
	}
	w.clean(t)
}
