package exec

import (
	"sync"
	"time"

	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// PostgreSQL plans a prepared statement anew for its first values, and then once for all, if that looks no worse. Where a
// filter's values are of very different frequency it isn't so: the plan that finds ten of a million rows at once looks for
// the one of a rare value in all of them. To plan every time costs a fifth of what a list of 100 rows takes. So a
// statement is planned for its values only since it took far longer than it does, and as long as that helps.
const (
	// slowFrom is below what nothing is slow, and slowRow what each row of the answer may add to it.
	slowFrom = 20 * time.Millisecond
	slowRow  = 50 * time.Microsecond
	// slowTimes is how many times its usual time a statement takes that is slow.
	slowTimes = 10
	// maxStrikes is how often a statement may be slow although it is planned for its values, until that is given up.
	maxStrikes = 3
	// maxHabits bounds how many statements are known.
	maxHabits = 2000
)

// habits are how long statements take. They are safe for concurrent use; the zero value knows none.
type habits struct {
	mu          sync.Mutex
	byStatement map[string]*habit
}

type habit struct {
	usual   time.Duration // of late, but for the slow ones
	custom  bool          // whether the statement is planned for its values
	strikes int
}

// custom tells whether a query is to be planned for its values.
func (h *habits) custom(q *sqlgen.Query) bool {
	if !q.Selective {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok := h.byStatement[q.Main.SQL]
	return ok && known.custom
}

// ran takes note of how long a query took that answered so many rows.
func (h *habits) ran(q *sqlgen.Query, took time.Duration, rows int64) {
	if !q.Selective {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok := h.byStatement[q.Main.SQL]
	if !ok {
		if h.byStatement == nil || len(h.byStatement) >= maxHabits {
			h.byStatement = map[string]*habit{}
		}
		h.byStatement[q.Main.SQL] = &habit{usual: took}
		return
	}
	known.ran(took, rows)
}

func (h *habit) ran(took time.Duration, rows int64) {
	slow := took > slowFrom+time.Duration(rows)*slowRow && took > slowTimes*h.usual
	switch {
	case !slow:
		h.usual += (took - h.usual) / 8
	case h.strikes >= maxStrikes: // values of this statement just take their time
	case !h.custom:
		h.custom = true
	default:
		if h.strikes++; h.strikes == maxStrikes {
			h.custom = false
		}
	}
}
