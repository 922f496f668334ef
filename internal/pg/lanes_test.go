package pg

import (
	"testing"
	"time"
)

// runs has a shape run so often and so long.
func (l *lanes) runs(s *shape, n int, took time.Duration) {
	for range n {
		l.start(s)
		l.end(s, took, false)
	}
}

// most is how many connections a shape gets on top of those that are held.
func (l *lanes) most(s *shape) int {
	n := 0
	for ; l.may(s) && n < 1000; n++ {
		l.start(s)
	}
	for range n {
		l.end(s, -1, false)
	}
	return n
}

func TestLaneLimits(t *testing.T) {
	for _, c := range []struct{ size, reserve, fast, slow, one int }{
		{1, 0, 1, 1, 1},
		{1, 1, 1, 1, 1},
		{2, 1, 1, 1, 1},
		{3, 1, 2, 2, 1},
		{4, 1, 3, 3, 2},
		{10, 2, 9, 8, 6},
		{32, 8, 31, 24, 18},
		{8, 0, 8, 8, 8},
		{8, 7, 7, 1, 1},
		{8, 100, 7, 1, 1},
	} {
		l := newLanes(c.size, c.reserve)
		if l.fastMax != c.fast || l.slowMax != c.slow || l.oneMax != c.one {
			t.Errorf("%d, %d kept: %d %d %d, want %d %d %d", c.size, c.reserve, l.fastMax, l.slowMax, l.oneMax, c.fast, c.slow, c.one)
		}
	}
}

// TestLanesOfWhatIsLeft has limits shrink with what is left of the connections.
func TestLanesOfWhatIsLeft(t *testing.T) {
	for _, c := range []struct{ size, reserve, lent, fast, slow int }{
		{10, 2, 0, 9, 6},
		{10, 2, 4, 5, 3},
		{10, 2, 5, 4, 3},
		{4, 1, 2, 1, 1},
		{2, 1, 1, 1, 1},
		{8, 0, 4, 4, 4},
	} {
		l := newLanes(c.size, c.reserve)
		l.lent = c.lent
		fast, slow := l.shape(1), l.shape(2)
		l.runs(fast, 1, time.Millisecond)
		if f, s := l.most(fast), l.most(slow); f != c.fast || s != c.slow {
			t.Errorf("%d, %d kept, %d lent: %d and %d, want %d and %d", c.size, c.reserve, c.lent, f, s, c.fast, c.slow)
		}
	}
}

func TestShapesAreKnownByTheirRuns(t *testing.T) {
	l := newLanes(10, 2)
	s := l.shape(1)
	if n := l.most(s); n != 6 {
		t.Errorf("nothing is known of it, and it gets %d", n)
	}
	l.runs(s, 1, time.Millisecond)
	if n := l.most(s); n != 9 {
		t.Errorf("it is fast, and gets %d", n)
	}
	l.runs(s, 1, time.Hour)
	if n := l.most(s); n != 6 {
		t.Errorf("it was very slow just now, and gets %d", n)
	}
	l.runs(s, 8, time.Millisecond)
	if n := l.most(s); n != 9 {
		t.Errorf("it is fast again, and gets %d", n)
	}
	l.runs(s, 50, 300*time.Millisecond)
	if n := l.most(s); n != 6 {
		t.Errorf("it is slow, and gets %d", n)
	}
}

// TestOverdueRunsMakeSlow has a fast shape stuck with all that it may have.
func TestOverdueRunsMakeSlow(t *testing.T) {
	l := newLanes(10, 2)
	stuck, fast, unknown := l.shape(1), l.shape(2), l.shape(3)
	l.runs(stuck, 1, time.Millisecond)
	l.runs(fast, 1, time.Millisecond)
	for l.may(stuck) {
		l.start(stuck)
	}
	if stuck.held != 9 || l.slowHeld != 0 {
		t.Fatalf("%d held, %d of them slow", stuck.held, l.slowHeld)
	}
	l.late(stuck)
	if l.slowHeld != 9 || l.may(stuck) || l.may(unknown) || !l.may(fast) {
		t.Errorf("stuck: %d slow, may %v %v %v", l.slowHeld, l.may(stuck), l.may(unknown), l.may(fast))
	}
	l.end(stuck, 2*time.Second, true)
	for range 8 {
		l.end(stuck, time.Millisecond, false)
	}
	if l.slowHeld != 0 || stuck.slow {
		t.Errorf("all have ended: %d slow, %v", l.slowHeld, stuck.slow)
	}
}

// TestTurns has waiters of several shapes, each of which gets its turn.
func TestTurns(t *testing.T) {
	l := newLanes(4, 1)
	slow, other, fast := l.shape(1), l.shape(2), l.shape(3)
	l.runs(fast, 1, time.Millisecond)
	at := time.Duration(0)
	wait := func(s *shape) {
		at++
		l.wait(&waiter{shape: s, at: at})
	}
	names := map[*shape]string{slow: "slow", other: "other", fast: "fast"}
	grant := func() string {
		w := l.next()
		if w == nil {
			return "nobody"
		}
		l.leave(w)
		l.start(w.shape)
		return names[w.shape]
	}
	for range 5 {
		wait(slow)
	}
	wait(other)
	wait(fast)
	wait(fast)
	if l.slowQ.waiters != 6 || l.fastQ.waiters != 2 {
		t.Errorf("%d and %d wait", l.slowQ.waiters, l.fastQ.waiters)
	}
	for i, want := range []string{"slow", "other", "slow", "fast", "fast", "nobody"} {
		if got := grant(); got != want {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
	// When a shape turns out to be fast, those who wait for it change the lane.
	l.end(slow, time.Millisecond, false)
	if l.slowQ.waiters != 0 || l.fastQ.waiters != 3 {
		t.Errorf("%d and %d wait", l.slowQ.waiters, l.fastQ.waiters)
	}
	if got := grant(); got != "slow" {
		t.Errorf("%s", got)
	}
}

// TestShapesAreForgotten meets many shapes, of which few are remembered, but those in use always.
func TestShapesAreForgotten(t *testing.T) {
	l := newLanes(4, 1)
	used, waited := l.shape(1), l.shape(2)
	l.start(used)
	l.wait(&waiter{shape: waited})
	recent := l.shape(3)
	for key := range uint64(100_000) {
		l.shape(key + 10)
		if key%100 == 0 && l.shape(3) != recent {
			t.Fatal("one that is often used is forgotten")
		}
	}
	if n := len(l.shapes) + len(l.before); n > 2*keptShapes+4 {
		t.Errorf("%d are remembered", n)
	}
	if l.shape(1) != used || l.shape(2) != waited {
		t.Error("one in use is forgotten")
	}
}
