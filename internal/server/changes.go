package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/tarn-data/tarn/internal/store"
)

// reloadEvery is how often what is remembered of the state is read anew though nobody told of a change: notifications may
// be lost, and some proxies of PostgreSQL don't pass them on.
const reloadEvery = 30 * time.Second

// changes keeps what a process remembers of the state fresh: each topic has a function that reads it anew.
type changes struct {
	state  *store.DB
	log    *slog.Logger
	reload map[string]func(context.Context) error
	heard  chan string // a topic
}

func newChanges(state *store.DB, log *slog.Logger) *changes {
	const many = 256
	return &changes{state: state, log: log, reload: map[string]func(context.Context) error{}, heard: make(chan string, many)}
}

// on has a function called when there may be news of a topic. It is for the time before run.
func (c *changes) on(topic string, reload func(context.Context) error) {
	c.reload[topic] = reload
	c.state.Watch(topic, func(string) {
		select {
		case c.heard <- topic:
		default: // so many wait that the next tick has to do
		}
	})
}

// load calls all functions once.
func (c *changes) load(ctx context.Context) error {
	for _, reload := range c.reload {
		if err := reload(ctx); err != nil {
			return err
		}
	}
	return nil
}

// run heeds changes until the context ends.
func (c *changes) run(ctx context.Context) {
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for topic := range c.reload {
				c.refresh(ctx, topic)
			}
		case topic := <-c.heard:
			c.refresh(ctx, topic)
		}
	}
}

func (c *changes) refresh(ctx context.Context, topic string) {
	if err := c.reload[topic](ctx); err != nil && ctx.Err() == nil {
		c.log.Warn("could not read what has changed: the old state holds", "topic", topic, "error", err)
	}
}
