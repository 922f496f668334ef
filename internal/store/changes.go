package store

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tarn-data/tarn/internal/pg"
)

const changesChannel = "tarn_changes"

const (
	pingTopic   = "ping"
	pingEvery   = time.Second
	pingTimeout = 2 * time.Second
	// deafAfter is how long after its last ping that came back a process believes that it hears of all changes.
	deafAfter = 5 * time.Second
)

// Changes tells of what any process of this installation changed in the state. It is safe for concurrent use.
//
// A process tells itself something from time to time. Since what was committed earlier is told earlier, it has heard of all
// changes before a ping that comes back. So it knows when it doesn't hear, whyever that is: a connection that only seems to
// be there, or a proxy that passes nothing on.
type Changes struct {
	name      string // among processes
	start     time.Time
	connected chan struct{}
	listening atomic.Bool
	heard     atomic.Int64 // when the last ping that came back was sent, after the start
	mu        sync.Mutex
	watchers  map[string][]func(key string)
}

func newChanges() *Changes {
	return &Changes{
		name: rand.Text(), start: time.Now(), connected: make(chan struct{}, 1), watchers: map[string][]func(string){},
	}
}

// Watch calls a function when something of a topic changed. The key says what it was; it is empty when all may have
// changed. The function must not wait.
func (d *DB) Watch(topic string, changed func(key string)) {
	c := d.changes
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers[topic] = append(c.watchers[topic], changed)
}

// Listening tells whether changes are heard of at once. While they aren't, what is kept in memory soon is too old.
func (d *DB) Listening() bool { return d.changes.listening.Load() && d.changes.timely() }

// timely tells whether a ping came back that was sent not long ago.
func (c *Changes) timely() bool { return time.Since(c.start)-time.Duration(c.heard.Load()) < deafAfter }

// Listen hears of changes until the context ends.
func (d *DB) Listen(ctx context.Context) {
	c := d.changes
	l := &pg.Listener{
		URL: d.opt.URL, AppName: d.opt.AppName, Channel: changesChannel, Log: d.opt.Log,
		Connected: func() {
			select {
			case c.connected <- struct{}{}:
			default: // a ping is about to be sent
			}
		},
		Lost: func(error) { c.deaf() },
		Notified: func(payload string) {
			topic, key, _ := strings.Cut(payload, " ")
			if topic == pingTopic {
				c.pinged(key)
				return
			}
			c.tell(topic, key)
		},
	}
	var pings sync.WaitGroup
	pings.Go(func() { d.ping(ctx) })
	l.Run(ctx)
	c.listening.Store(false)
	pings.Wait()
}

// ping sends pings until the context ends.
func (d *DB) ping(ctx context.Context) {
	c := d.changes
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.connected:
		case <-tick.C:
		}
		if err := d.sendPing(ctx); err != nil {
			d.opt.Log.Debug("could not tell this process something", "error", err)
		}
		if c.listening.Load() && !c.timely() {
			d.opt.Log.Warn("changes of the state aren't heard of: what is remembered of it is read again and again", "channel", changesChannel)
			c.deaf()
		}
	}
}

func (d *DB) sendPing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	conn, err := d.pool.Acquire(ctx) // which may take its time
	if err != nil {
		return err
	}
	defer conn.Release()
	ping := pingTopic + " " + d.changes.name + " " + strconv.FormatInt(int64(time.Since(d.changes.start)), 10)
	// Nothing is lost with a ping: it needn't wait for the disk.
	_, err = conn.Exec(ctx, "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)", changesChannel, ping)
	return err
}

// pinged hears a ping, whosever it is.
func (c *Changes) pinged(ping string) {
	name, sent, _ := strings.Cut(ping, " ")
	at, err := strconv.ParseInt(sent, 10, 64)
	if name != c.name || err != nil {
		return
	}
	c.heard.Store(at)
	if !c.listening.Load() && c.timely() {
		c.tellAll() // first: what was read before it began to listen must not be believed
		c.listening.Store(true)
	}
}

// deaf takes note that changes aren't heard of.
func (c *Changes) deaf() {
	c.listening.Store(false)
	c.tellAll()
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
