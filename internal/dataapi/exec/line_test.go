package exec

import (
	"testing"
	"time"
)

// TestWhoWaitsLongGoesElsewhere has calls wait for one that runs, and for how long others before it have.
func TestWhoWaitsLongGoesElsewhere(t *testing.T) {
	const now, long, short = time.Second, 100 * time.Millisecond, 10 * time.Millisecond
	for _, c := range []struct {
		name           string
		runs, waits    time.Duration // since when
		floor          time.Duration
		goesElsewhere  bool
		nobodyMayJoin  bool
		nobodyElseIsIn bool
	}{
		{"both for a short time", short, short, 0, false, false, false},
		{"it has run for long", long, short, 0, true, true, false},
		{"several before it have", short, long, 0, true, true, false},
		{"that is usual", long, long, long, false, false, false},
		{"alone", short, 0, 0, false, false, true},
	} {
		head := &call{state: reading, ends: true, turn: make(chan turn, 1), joined: now - c.runs}
		next := &call{turn: make(chan turn, 1), joined: now - c.waits}
		l := &line{queue: []*call{head, next}, since: now - c.runs, floor: c.floor}
		if c.nobodyElseIsIn {
			l.queue = l.queue[:1]
		}
		l.look(now)
		select {
		case got := <-next.turn:
			if !c.goesElsewhere || got != elsewhere {
				t.Errorf("%s: told %d", c.name, got)
			}
		default:
			if c.goesElsewhere {
				t.Errorf("%s: not told", c.name)
			}
		}
		if l.shut != c.nobodyMayJoin || len(head.turn) > 0 {
			t.Errorf("%s: shut %v, %d told who runs", c.name, l.shut, len(head.turn))
		}
	}
}
