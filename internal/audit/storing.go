package audit

import (
	"context"
	"time"
)

// run stores what is queued, batch after batch: what comes while one is stored goes with the next.
func (l *Log) run(ctx context.Context) {
	defer close(l.done)
	defer l.anchor()
	others, anchors := time.NewTicker(adoptEvery), time.NewTicker(anchorEvery)
	defer others.Stop()
	defer anchors.Stop()
	for {
		select {
		case <-l.kick:
			if !l.storeQueue(ctx) {
				return
			}
		case <-others.C:
			l.adopt(ctx)
		case <-anchors.C:
			l.anchor()
		case <-l.end:
			l.storeQueue(ctx)
			return
		}
	}
}

func (l *Log) adopt(ctx context.Context) {
	n, err := adopt(ctx, l.opt.Dir, l.opt.Store)
	if err != nil {
		l.opt.Log.Error("audit records of an earlier process could not be stored", "error", err)
	}
	if n > 0 {
		l.opt.Log.Info("audit records of an earlier process stored", "records", n)
	}
}

// storeQueue stores the queue, and doesn't give up before the log is closed: then it returns false.
func (l *Log) storeQueue(ctx context.Context) bool {
	b, stored, err := l.take()
	if err != nil {
		l.failed(err)
		return true
	}
	if len(b.Entries) == 0 {
		return true
	}
	for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
		head, err := l.append(ctx, b)
		if err == nil {
			l.succeeded(head, stored)
			return true
		}
		l.failed(err)
		select {
		case <-time.After(retry):
		case <-l.end:
			l.leave()
			return false
		}
	}
}

// take takes the queue, and has the other file take what comes from now on.
func (l *Log) take() (Batch, chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if len(l.queue) == 0 {
		return Batch{}, nil, nil
	}
	b := Batch{Writer: l.spool.header.Writer, Number: l.spool.header.Batch, Entries: l.queue}
	if err := l.spool.swap(l.underWay); err != nil {
		l.timer = time.AfterFunc(firstRetry, l.hurry)
		return Batch{}, nil, err
	}
	stored := l.stored
	l.queue, l.stored = nil, make(chan struct{})
	return b, stored, nil
}

func (l *Log) append(ctx context.Context, b Batch) (Head, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return l.opt.Store.Append(ctx, b)
}

func (l *Log) succeeded(head Head, stored chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away != nil {
		l.opt.Log.Info("the audit log is written again")
	}
	l.away = nil
	close(stored)
	if err := l.spool.clear(); err != nil {
		l.opt.Log.Error("audit log: a file could not be emptied", "error", err)
	}
	l.head = head
}

// anchor keeps the head on this machine.
func (l *Log) anchor() {
	l.mu.Lock()
	head := l.head
	l.mu.Unlock()
	if head == l.anchored {
		return
	}
	if err := WriteAnchor(l.opt.Dir, head); err != nil {
		l.opt.Log.Error("audit log: the anchor could not be written", "error", err)
		return
	}
	l.anchored = head
}

func (l *Log) failed(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away == nil {
		l.opt.Log.Error("the audit log can't be written; calls that change something are refused", "error", err)
	}
	l.away = err
}

// leave leaves what is in the files to the next process.
func (l *Log) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = true
}
