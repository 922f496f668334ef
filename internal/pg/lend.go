package pg

// Lend says that the run that the connection was acquired for has ended, and that it is kept, to be used in some other way:
// what it does from then on is of no shape. It must be released soon after recall was called, which is when the pool ends or
// connections are to be opened anew; recall must not wait for anything. A connection that can't be lent has to be released.
func (c *Conn) Lend(recall func()) bool {
	p := c.pool
	now := p.now()
	if !c.settled() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.keeps(c, now) {
		return false
	}
	p.lanes.end(c.shape, now-c.since, c.overdue)
	p.lanes.lent++
	c.shape, c.overdue, c.recall = nil, false, recall
	p.serve(now)
	return true
}

// recall wants lent connections back that are unwanted.
func (p *Pool) recall(unwanted func(*Conn) bool) {
	for _, c := range p.busy {
		if c.recall != nil && unwanted(c) {
			go c.recall()
		}
	}
}
