package exec

import (
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

const ms = time.Millisecond

func TestHabits(t *testing.T) {
	type run struct {
		took time.Duration
		rows int64
	}
	usual := run{ms, 10}
	for _, c := range []struct {
		name string
		runs []run
		want bool
	}{
		{"nothing known", nil, false},
		{"usual", []run{usual, usual, {5 * ms, 10}, {19 * ms, 10}}, false},
		{"far slower", []run{usual, usual, {100 * ms, 10}}, true},
		{"many rows", []run{usual, usual, {100 * ms, 2000}}, false},
		{"always slow", []run{{100 * ms, 1}, {200 * ms, 1}}, false},
		{"it helps", []run{usual, {100 * ms, 1}, usual, usual, usual}, true},
		{"it helps nearly always", []run{usual, {100 * ms, 1}, usual, {100 * ms, 1}, usual, {100 * ms, 1}}, true},
		{"it doesn't help", []run{usual, {100 * ms, 1}, {100 * ms, 1}, {100 * ms, 1}, {100 * ms, 1}}, false},
		{"it never did", []run{usual, {100 * ms, 1}, {100 * ms, 1}, {100 * ms, 1}, {100 * ms, 1}, usual, {100 * ms, 1}}, false},
	} {
		var h habits
		q := &sqlgen.Query{Main: sqlgen.Statement{SQL: "SELECT"}, Selective: true}
		for _, r := range c.runs {
			h.ran(q, r.took, r.rows)
		}
		if got := h.custom(q); got != c.want {
			t.Errorf("%s: planned for its values: %t", c.name, got)
		}
		if q.Selective = false; h.custom(q) {
			t.Errorf("%s: planned for its values although they don't matter", c.name)
		}
	}
}
