package exec

import (
	"context"
	"slices"
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
	// maxCancels is how often a statement is cancelled: it may not have begun when it was for the first time.
	maxCancels = 5
	// holdBelow is how near PostgreSQL has to be so that a transaction which others may join is held back until what was
	// sent before is answered. Where it is farther, waiting would cost more than it saves.
	holdBelow = time.Millisecond
	// apartFor is how long a statement is in no transaction with others which has failed or taken too long there.
	apartFor = time.Second
)

// line is a connection over which requests go one behind the other. PostgreSQL answers in the same order. The one whose answer
// is next reads it, and then gives the turn to the one behind it.
//
// Each is a transaction, but for those that follow one with the very same settings, and all of which run no code of the
// database's users: nothing of what they could notice of each other is there. They are one transaction with it.
type line struct {
	m     *multiplexer
	conn  *pg.Conn
	link  *link // which is the next one's when the line has ended
	quiet bool  // as the link's

	length  atomic.Int32 // of the queue
	gathers atomic.Bool  // whether there is something to be sent; it changes with the lock

	writing sync.Mutex // held to take what is to be sent and write it; the other lock may be taken with it
	spare   []byte     // the buffer that was written before

	mu      sync.Mutex
	queue   []*call // the first of them is being read
	out     []byte  // what is to be sent
	open    *call   // the last one in it, if others may be one transaction with it; else nil
	pending int     // how many of the queue it is of
	sending bool    // whether somebody is about to send it
	flights int     // how often was sent what isn't answered as a whole
	unread  int     // bytes of the queue's requests
	shut    bool    // whether nobody may join any more
	used    bool    // since it was last looked at
	since   time.Duration
	floor   time.Duration // the least that an answer took which waited for none before it; at most stalledAfter
}

// call is a request on a line.
type call struct {
	line    *line
	shape   string // its statement as others know it
	plain   bool   // whether no code of the database's users runs
	bare    bool   // whether only those settings are set that matter to any statement
	steps   []step
	sent    []*prepared
	size    int // bytes to send
	turn    chan turn
	abandon func() // when the request's context ends

	// What follows is under the line's lock.
	state   callState
	joined  time.Duration
	waited  bool // for another's answer
	left    bool // whether nobody wants its answer any more
	follows bool // whether it is one transaction with the one before it
	ends    bool // whether its transaction ends with it
	lands   bool // whether it is the last one of what was sent at a time
	cancels []*pg.Canceller
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

// last tells whether its transaction ends with a call.
func (c *call) last() bool {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	return c.ends
}

// skips is how many steps aren't sent, since the call before has run them.
func (c *call) skips() int {
	if c.follows {
		return mainStep
	}
	return 0
}

func (c *call) reset() *call {
	clear(c.steps)
	clear(c.sent)
	*c = call{steps: c.steps[:0], sent: c.sent[:0], turn: c.turn, abandon: c.abandon}
	return c
}

// newLine makes a line of a connection that has just run a statement. If that stood still, it says nothing of how long
// statements take, and others must not be given as long.
func newLine(m *multiplexer, conn *pg.Conn) *line {
	link := linkOf(conn.PgConn())
	return &line{m: m, conn: conn, link: link, quiet: link.quiet, used: true, floor: min(link.took, stalledAfter)}
}

// join puts a call behind the others, if the line has a place for it. It tells whether the caller has to flush.
func (l *line) join(c *call) (joined, sends bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut || len(l.queue) >= maxQueue || !l.fits(c) {
		return false, false
	}
	c.line, c.joined = l, l.m.now()
	l.compose(c)
	l.used = true
	l.unread += c.size
	l.queue = append(l.queue, c)
	l.length.Store(int32(len(l.queue))) //nolint:gosec // few
	if c.waited = len(l.queue) > 1; !c.waited {
		l.give(c)
	}
	l.pending++
	l.gathers.Store(true)
	if sends = !l.sending && !l.holds(); sends {
		l.sending = true
	}
	return true, sends
}

// holds tells whether what is to be sent is held back, so that others come to it.
func (l *line) holds() bool {
	return l.open != nil && l.flights > 0 && l.pending < maxBatch && l.floor < holdBelow
}

// compose appends what a call has to send.
func (l *line) compose(c *call) {
	shares := c.plain && l.mayShare(c)
	c.follows = shares && l.open != nil && sameSettings(c, l.open)
	if !c.follows {
		l.seal()
		l.out = l.link.statements.deallocate(l.out)
	}
	for i := c.skips(); i < len(c.steps); i++ {
		st := c.sent[i]
		if !st.there {
			l.link.statements.ask(st)
		}
		l.out = appendStep(l.out, &c.steps[i], st, st.there)
	}
	if l.open = c; !shares {
		l.seal()
	}
}

// mayShare tells whether a call may be one transaction with others: its statements are there, and did well lately.
func (l *line) mayShare(c *call) bool {
	for _, st := range c.sent {
		if !st.there {
			return false
		}
	}
	return c.sent[mainStep].apart < c.joined
}

// sameSettings tells whether two calls set the same.
func sameSettings(a, b *call) bool {
	x, y := &a.steps[0], &b.steps[0]
	return x.statement.SQL == y.statement.SQL && slices.Equal(x.texts, y.texts)
}

// seal ends the transaction of what is to be sent.
func (l *line) seal() {
	if l.open != nil {
		l.out = append(l.out, syncMessage...)
		l.open.ends = true
		l.open = nil
	}
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

// flush sends what there is.
func (l *line) flush() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	l.seal()
	out := l.out
	l.out = l.spare[:0]
	if n := len(l.queue); n > 0 { // or the connection was lost
		l.queue[n-1].lands = true
	}
	l.flights++
	l.pending, l.sending = 0, false
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
		c.dismiss()
	}
}

// dismiss sends a call elsewhere, if it still waits.
func (c *call) dismiss() {
	if c.state == waiting {
		c.state, c.left = skipped, true
		c.turn <- elsewhere
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
	l.queue, l.open = nil, nil
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

// cancel cancels a statement that runs, if nobody wants its answer. And if others are one transaction with it, which one of
// them it is that runs isn't known, but answers come when the transaction ends.
func (l *line) cancel(c *call) {
	sent := l.flights > 0 // before that nothing runs, and what its transaction ends with isn't settled
	if sent && (c.left || !c.ends) && c.state != over && len(c.cancels) < maxCancels {
		cancel := &pg.Canceller{Conn: l.link.conn}
		c.cancels = append(c.cancels, cancel)
		cancel.HandleCancel(context.Background())
	}
}
