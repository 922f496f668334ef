package pg

import (
	"container/list"
	"time"
)

const (
	// fastMean is how long the recent runs of a shape took at most, on average, for it to be fast.
	fastMean = 200 * time.Millisecond
	// overdueAfter is when a run that goes on makes its shape slow, whatever earlier ones took.
	overdueAfter = time.Second
	// longestRun is how much a run counts at most, so that it can be made good by a few others.
	longestRun = 2 * time.Second
	// keptShapes is how many shapes are remembered in each of two generations.
	keptShapes = 512
)

// shape is what is known of one kind of statement.
type shape struct {
	known   bool          // whether a run has ended
	mean    time.Duration // of recent runs
	overdue int           // runs that go on for too long
	slow    bool          // not known to be fast
	held    int           // connections
	waiting *list.List    // of *waiter; nil until there was one
	turn    *list.Element // of the shape in its lane's queue, while anybody waits
}

func (s *shape) active() bool { return s.held > 0 || s.turn != nil }

// lanes decide which statements may have a pool's connections. Those of shapes that are known to be fast may have all but
// the last one, which so is always left to others. Those of all other shapes together leave some to the fast, and one of
// them some to the rest: so what is stuck never has them all. It is arithmetic only, under the pool's lock.
type lanes struct {
	size    int // connections in all
	fastMax int // connections of one fast shape
	slowMax int // of all other shapes together
	oneMax  int // of one of them

	slowHeld     int
	lent         int // connections that are used in some other way
	shapes       map[uint64]*shape
	before       map[uint64]*shape // the generation before
	fastQ, slowQ queue
}

// queue are the shapes of a lane for which someone waits, and how many do.
type queue struct {
	shapes  list.List // of *shape
	waiters int
}

// waiter is a request that waits for a connection.
type waiter struct {
	shape   *shape
	at      time.Duration // since when
	place   *list.Element // among those of its shape; nil once it is out
	granted chan grant
	abandon func()      // when its context ends
	timer   *time.Timer // when it has waited for long enough; nil if it may for ever
}

// grant is what a wait ends with: a connection, the place for one if it is nil, or an error.
type grant struct {
	conn *Conn
	err  error
}

// settle ends the timer. It is false if that may have run out.
func (w *waiter) settle() bool {
	w.shape = nil
	return w.timer == nil || w.timer.Stop()
}

// newLanes makes the lanes of so many connections, some of which are kept for the fast.
func newLanes(size, reserve int) lanes {
	l := lanes{size: size, fastMax: size, slowMax: size, oneMax: size, shapes: map[uint64]*shape{}}
	reserve = min(reserve, size-1)
	if reserve > 0 {
		l.fastMax = size - 1
		l.slowMax = size - reserve
		l.oneMax = max(1, l.slowMax-max(1, l.slowMax/4))
	}
	return l
}

// shape finds a shape, or begins to know it. What is not seen for long is forgotten.
func (l *lanes) shape(key uint64) *shape {
	if s, ok := l.shapes[key]; ok {
		return s
	}
	s, ok := l.before[key]
	if !ok {
		s = &shape{slow: true}
	}
	if len(l.shapes) >= keptShapes {
		next := make(map[uint64]*shape, keptShapes)
		for k, old := range l.before {
			if old.active() && l.shapes[k] == nil {
				next[k] = old
			}
		}
		l.before, l.shapes = l.shapes, next
	}
	l.shapes[key] = s
	return s
}

// may tells whether a shape may have one more connection.
func (l *lanes) may(s *shape) bool {
	if s.slow {
		return s.held < l.left(l.oneMax) && l.slowHeld < l.left(l.slowMax)
	}
	return s.held < l.left(l.fastMax)
}

// left is how many connections may be had of so many, while some of all are lent.
func (l *lanes) left(n int) int {
	if l.lent == 0 {
		return n
	}
	return max(1, n*(l.size-l.lent)/l.size)
}

func (l *lanes) start(s *shape) {
	s.held++
	if s.slow {
		l.slowHeld++
	}
}

// end takes a run back that took so long; a negative time is not counted.
func (l *lanes) end(s *shape, took time.Duration, overdue bool) {
	s.held--
	if s.slow {
		l.slowHeld--
	}
	if overdue {
		s.overdue--
	}
	if took >= 0 {
		took = min(took, longestRun)
		if s.known {
			s.mean += (took - s.mean) / 8
		} else {
			s.known, s.mean = true, took
		}
	}
	l.classify(s)
}

// late says that a run goes on for too long.
func (l *lanes) late(s *shape) {
	s.overdue++
	l.classify(s)
}

func (l *lanes) classify(s *shape) {
	slow := !s.known || s.mean > fastMean || s.overdue > 0
	if slow == s.slow {
		return
	}
	q := l.queueOf(s)
	s.slow = slow
	if slow {
		l.slowHeld += s.held
	} else {
		l.slowHeld -= s.held
	}
	if s.turn != nil {
		q.shapes.Remove(s.turn)
		q.waiters -= s.waiting.Len()
		q = l.queueOf(s)
		s.turn = q.shapes.PushBack(s)
		q.waiters += s.waiting.Len()
	}
}

func (l *lanes) queueOf(s *shape) *queue {
	if s.slow {
		return &l.slowQ
	}
	return &l.fastQ
}

// wait puts a waiter behind the others of its shape.
func (l *lanes) wait(w *waiter) {
	s, q := w.shape, l.queueOf(w.shape)
	if s.waiting == nil {
		s.waiting = list.New()
	}
	w.place = s.waiting.PushBack(w)
	q.waiters++
	if s.turn == nil {
		s.turn = q.shapes.PushBack(s)
	}
}

// leave takes a waiter out. It is the next shape's turn.
func (l *lanes) leave(w *waiter) {
	s, q := w.shape, l.queueOf(w.shape)
	s.waiting.Remove(w.place)
	w.place = nil
	q.waiters--
	if s.waiting.Len() > 0 {
		q.shapes.MoveToBack(s.turn)
		return
	}
	q.shapes.Remove(s.turn)
	s.turn = nil
}

// next returns who may have a connection now, of both lanes the one who waits longer; nil for nobody. In a lane the shapes
// take turns. Few of them can be at their limit, so few are passed over.
func (l *lanes) next() *waiter {
	fast := l.first(&l.fastQ)
	if l.slowHeld >= l.left(l.slowMax) {
		return fast
	}
	slow := l.first(&l.slowQ)
	if fast == nil || slow != nil && slow.at < fast.at {
		return slow
	}
	return fast
}

// anybody returns somebody who waits; nil for nobody.
func (l *lanes) anybody() *waiter {
	for _, q := range [...]*queue{&l.fastQ, &l.slowQ} {
		if e := q.shapes.Front(); e != nil {
			return e.Value.(*shape).waiting.Front().Value.(*waiter)
		}
	}
	return nil
}

func (l *lanes) first(q *queue) *waiter {
	for e := q.shapes.Front(); e != nil; e = e.Next() {
		if s := e.Value.(*shape); l.may(s) {
			return s.waiting.Front().Value.(*waiter)
		}
	}
	return nil
}
