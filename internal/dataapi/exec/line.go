package exec

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tarn-data/tarn/internal/pg"
)

const (
	// maxQueue is how many requests a line has at most.
	maxQueue = 32
	// maxUnread is how many bytes of them may be without an answer. They fit into the sockets' buffers, so a write never
	// waits for an answer to be read first.
	maxUnread = 32 << 10
	// mainStep is which of a call's steps is its statement; the one before sets the settings.
	mainStep = 1
)

// line is a connection over which requests go one behind the other, each of them a transaction. PostgreSQL answers in the
// same order. The one whose answer is next reads it, and then gives the turn to the one behind it.
type line struct {
	m     *multiplexer
	conn  *pg.Conn
	link  *link // which is the next one's when the line has ended
	quiet bool  // as the link's

	length  atomic.Int32 // of the queue
	gathers atomic.Bool  // whether what is to be sent will be taken soon; it changes with the lock

	writing sync.Mutex // held to take what is to be sent and write it; the other lock may be taken with it
	spare   []byte     // the buffer that was written before

	mu     sync.Mutex
	queue  []*call // the first of them is being read
	out    []byte  // what is to be sent
	unread int     // bytes of the queue's requests
	shut   bool    // whether nobody may join any more
	used   bool    // since it was last looked at
	since  time.Duration
	floor  time.Duration // the least that an answer took which waited for none before it; at most stalledAfter
}

// call is a request on a line.
type call struct {
	line    *line
	steps   []step
	sent    []*prepared
	size    int // bytes to send
	turn    chan turn
	abandon func() // when the request's context ends

	// What follows is under the line's lock.
	state   callState
	joined  time.Duration
	waited  bool          // for another's answer
	left    bool          // whether nobody wants its answer any more
	cancels *pg.Canceller // nil if it isn't cancelled
}

// callState is where in its line a call is.
type callState uint8

const (
	waiting callState = iota
	reading
	skipped // nobody waits any more
	over
)

// turn is what waiting ends with.
type turn uint8

const (
	yours     turn = iota // to read
	elsewhere             // to run alone: here it would take too long
	nobodys               // since the request's context has ended
)

func (c *call) reset() *call {
	clear(c.steps)
	clear(c.sent)
	c.line, c.steps, c.sent, c.size = nil, c.steps[:0], c.sent[:0], 0
	c.state, c.waited, c.left, c.cancels = waiting, false, false, nil
	return c
}

// newLine makes a line of a connection that has just run a statement. If that stood still, it says nothing of how long
// statements take, and others must not be given as long.
func newLine(m *multiplexer, conn *pg.Conn) *line {
	link := linkOf(conn.PgConn())
	return &line{m: m, conn: conn, link: link, quiet: link.quiet, used: true, floor: min(link.took, stalledAfter)}
}

// join puts a call behind the others, if the line has a place for it. The first of those that gather has to flush.
func (l *line) join(c *call) (joined, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut || len(l.queue) >= maxQueue || !l.fits(c) {
		return false, false
	}
	statements := &l.link.statements
	l.out = statements.deallocate(l.out)
	for i, st := range c.sent {
		if !st.there {
			statements.ask(st)
		}
		l.out = appendStep(l.out, &c.steps[i], st, st.there)
	}
	l.out = append(l.out, syncMessage...)
	c.line, c.joined = l, l.m.now()
	l.used = true
	l.unread += c.size
	l.queue = append(l.queue, c)
	l.length.Store(int32(len(l.queue))) //nolint:gosec // few
	if c.waited = len(l.queue) > 1; !c.waited {
		l.give(c)
	}
	first = !l.gathers.Load()
	l.gathers.Store(true)
	return true, first
}

// fits finds the statements of a call. It is false if the call is too large, or if one of its statements is being prepared
// for another call, which may fail.
func (l *line) fits(c *call) bool {
	statements := &l.link.statements
	for i := range c.steps {
		s := &c.steps[i]
		key := statementKey{s.role, s.statement.SQL}
		st := statements.find(key)
		if st == nil {
			if statements.isAsked(key) {
				return false
			}
			st = newPrepared(key, s)
			c.size += len(key.sql)
		}
		c.sent = append(c.sent, st)
		c.size += s.size()
	}
	return l.unread+c.size <= maxUnread
}

// flush lets others gather who are about to ask, and sends what there is.
func (l *line) flush() {
	runtime.Gosched()
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	out := l.out
	l.out = l.spare[:0]
	l.gathers.Store(false)
	l.mu.Unlock()
	l.spare = out
	if _, err := l.link.conn.Conn().Write(out); err != nil {
		_ = l.link.conn.Conn().Close() // which whoever reads will notice
	}
}

// give gives a call its turn.
func (l *line) give(c *call) {
	c.state = reading
	l.since = l.m.now()
	c.turn <- yours
}

// read reads the answer of the call whose turn it is. It isn't done if that has to be asked for once more, elsewhere.
func (l *line) read(ctx context.Context, c *call) (done bool, err error) {
	r := reader{link: l.link, line: l, sent: c.sent, steps: c.steps}
	settled := false
	defer func() {
		if !settled { // or a panic is on its way
			l.lost()
		}
	}()
	settled = r.read(ctx)
	if usable := l.finish(c); !usable {
		settled = false
	}
	switch {
	case !settled:
		return false, nil
	case isStaleStatement(r.failure):
		l.mu.Lock()
		l.link.statements.forget()
		l.mu.Unlock()
	default:
		done = true
	}
	if l.pass() {
		go l.skip()
	}
	return done, r.failure
}

// finish ends a call whose answer was read, and tells whether the connection can still be used.
func (l *line) finish(c *call) (usable bool) {
	l.mu.Lock()
	took := l.m.now() - l.since
	if !c.waited {
		l.floor = min(l.floor, took)
	}
	st := c.sent[mainStep]
	st.late += (max(0, took-l.floor) - st.late) / 16
	late := st.late > briefMean
	if late {
		st.late = 0
	}
	l.mu.Unlock()
	if late {
		l.m.isolate(st.key.sql)
	}
	return l.end(c)
}

// end ends a call whose answer was read or skipped, and tells whether the connection can still be used.
func (l *line) end(c *call) (usable bool) {
	l.mu.Lock()
	c.state = over
	cancels := c.cancels
	l.mu.Unlock()
	return cancels == nil || cancels.Wait()
}

// pass takes out the first call and gives the next one its turn. If nobody waits for that, it is to be skipped.
func (l *line) pass() (skip bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unread -= l.queue[0].size
	n := copy(l.queue, l.queue[1:])
	l.queue[n] = nil
	l.queue = l.queue[:n]
	l.length.Store(int32(n)) //nolint:gosec // few
	switch {
	case n == 0 && l.shut:
		l.leave()
	case n == 0:
	case l.queue[0].state == skipped:
		l.since = l.m.now()
		return true
	default:
		l.give(l.queue[0])
	}
	return false
}

// skip reads answers that nobody waits for.
func (l *line) skip() {
	for {
		l.mu.Lock()
		c := l.queue[0]
		l.mu.Unlock()
		r := reader{link: l.link, line: l, sent: c.sent}
		settled := r.read(context.Background())
		if usable := l.end(c); !settled || !usable {
			l.lost()
			return
		}
		if !l.pass() {
			return
		}
	}
}

// abandon heeds that the context of a call has ended. A statement that runs is most likely done in a moment. If it isn't, it
// will be cancelled.
func (l *line) abandon(c *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.left = true
	if c.state == waiting {
		c.state = skipped
		c.turn <- nobodys
	}
}

// clear sends all who wait elsewhere, and lets nobody join any more.
func (l *line) clear() {
	l.shut = true
	for _, c := range l.queue {
		if c.state == waiting {
			c.state, c.left = skipped, true
			c.turn <- elsewhere
		}
	}
}

// retire has the connection go back to the pool as soon as all is answered.
func (l *line) retire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.shut {
		l.shut = true
		if len(l.queue) == 0 {
			l.leave()
		}
	}
}

// lost ends the line when its connection is broken.
func (l *line) lost() {
	l.link.close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
	l.queue = nil
	l.leave()
}

// leave gives the connection back.
func (l *line) leave() {
	l.m.remove(l)
	l.conn.Release()
}

// look sends those elsewhere who have waited too long for an answer that isn't theirs, cancels what keeps them waiting if
// nobody wants it, and ends a line that nobody has used since the last look.
func (l *line) look(now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.queue) == 0 && !l.used && !l.shut:
		l.shut = true
		l.leave()
	case len(l.queue) > 0 && l.stalls(now):
		l.clear() // first, as the cancelling may come late, and hit the next one
		l.cancel(l.queue[0])
	}
	l.used = false
}

// stalls tells whether what runs has taken too long, or who is next has waited too long, for several that took less.
func (l *line) stalls(now time.Duration) bool {
	patience := stalledAfter + 2*l.floor
	return now-l.since > patience || len(l.queue) > 1 && now-l.queue[1].joined > patience
}

// cancel cancels a statement that runs, if nobody wants its answer.
func (l *line) cancel(c *call) {
	if c.left && c.cancels == nil && c.state != over {
		c.cancels = &pg.Canceller{Conn: l.link.conn}
		c.cancels.HandleCancel(context.Background())
	}
}
