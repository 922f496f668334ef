package store

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tarn-data/tarn/internal/pg"
)

const changesChannel = "tarn_changes"

// Changes tells of what any process of this installation changed in the state. It is safe for concurrent use.
type Changes struct {
	listening atomic.Bool
	mu        sync.Mutex
	watchers  map[string][]func(key string)
}

// Watch calls a function when something of a topic changed. The key says what it was; it is empty when all may have
// changed. The function must not wait.
func (d *DB) Watch(topic string, changed func(key string)) {
	c := &d.changes
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watchers == nil {
		c.watchers = map[string][]func(string){}
	}
	c.watchers[topic] = append(c.watchers[topic], changed)
}

// Listening tells whether changes are heard of at once. While they aren't, what is kept in memory soon is too old.
func (d *DB) Listening() bool { return d.changes.listening.Load() }

// Listen hears of changes until the context ends.
func (d *DB) Listen(ctx context.Context) {
	c := &d.changes
	l := &pg.Listener{
		URL: d.opt.URL, AppName: d.opt.AppName, Channel: changesChannel, Log: d.opt.Log,
		Connected: func() { c.listening.Store(true); c.tellAll() },
		Lost:      func(error) { c.listening.Store(false); c.tellAll() },
		Notified: func(payload string) {
			topic, key, _ := strings.Cut(payload, " ")
			c.tell(topic, key)
		},
	}
	l.Run(ctx)
	c.listening.Store(false)
}

func (c *Changes) tell(topic, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, changed := range c.watchers[topic] {
		changed(key)
	}
}

func (c *Changes) tellAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, watchers := range c.watchers {
		for _, changed := range watchers {
			changed("")
		}
	}
}
