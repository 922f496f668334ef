package exec

import (
	"context"
	"slices"
)

// read reads the answer of the call whose turn it is. It isn't done if that has to be asked for once more, elsewhere.
func (l *line) read(ctx context.Context, c *call) (done bool, err error) {
	r := reader{link: l.link, call: c, sent: c.sent[c.skips():], steps: c.steps[c.skips():]}
	settled := false
	defer func() {
		if !settled { // or a panic is on its way
			l.lost()
		}
	}()
	settled = r.read(ctx)
	shared, usable := l.finish(c, r.aborted)
	if !usable {
		settled = false
	}
	switch {
	case !settled:
		return false, r.failure
	case isStaleStatement(r.failure):
		l.mu.Lock()
		l.link.statements.forget()
		l.mu.Unlock()
	case r.aborted && (shared || c.bare): // what is to be said of it shows when it runs alone
	default:
		done = true
	}
	skip, sends := l.pass(r.aborted)
	if sends {
		l.flush()
	}
	if skip {
		go l.skip()
	}
	return done, r.failure
}

// finish ends a call whose answer was read. It tells whether others were one transaction with it, and whether the connection
// can still be used.
func (l *line) finish(c *call, failed bool) (shared, usable bool) {
	l.mu.Lock()
	now := l.m.now()
	took := now - l.since
	if !c.waited {
		l.floor = min(l.floor, took)
	}
	shared = c.follows || !c.ends
	st := c.sent[mainStep]
	st.late += (max(0, took-l.floor) - st.late) / 16
	late := st.late > briefMean
	if late {
		st.late = 0
	}
	if shared && late || failed && (shared || c.bare) {
		st.apart = now + apartFor // which of them takes long shows when each is a transaction
	}
	l.mu.Unlock()
	if late && !shared {
		l.m.isolate(c.shape)
	}
	return shared, l.end(c)
}

// end ends a call whose answer was read or skipped, and tells whether the connection can still be used.
func (l *line) end(c *call) (usable bool) {
	l.mu.Lock()
	c.state = over
	cancels := c.cancels
	l.mu.Unlock()
	usable = true
	for _, cancel := range cancels {
		usable = cancel.Wait() && usable
	}
	return usable
}

// pass takes out the first call and gives the next one its turn. If nobody waits for that, it is to be skipped. Those that were
// one transaction with one that failed have no answers: they are sent elsewhere. It tells whether the caller has to flush what was
// held back.
func (l *line) pass(failed bool) (skip, sends bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 1
	for ; failed && !l.queue[n-1].ends; n++ {
		l.queue[n].dismiss()
	}
	for _, c := range l.queue[:n] {
		l.unread -= c.size
		if c.lands {
			l.flights--
		}
	}
	if sends = l.pending > 0 && !l.sending && !l.holds(); sends {
		l.sending = true
	}
	l.queue = slices.Delete(l.queue, 0, n)
	n = len(l.queue)
	l.length.Store(int32(n)) //nolint:gosec // few
	switch {
	case n == 0 && l.shut:
		l.leave()
	case n == 0:
	case l.queue[0].state == skipped:
		l.since = l.m.now()
		skip = true
	default:
		l.give(l.queue[0])
	}
	return skip, sends
}

// skip reads answers that nobody waits for.
func (l *line) skip() {
	for {
		l.mu.Lock()
		c := l.queue[0]
		l.mu.Unlock()
		r := reader{link: l.link, call: c, sent: c.sent[c.skips():]}
		settled := r.read(context.Background())
		if usable := l.end(c); !settled || !usable {
			l.lost()
			return
		}
		skip, sends := l.pass(r.aborted)
		if sends {
			l.flush()
		}
		if !skip {
			return
		}
	}
}
