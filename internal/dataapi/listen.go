package dataapi

import (
	"context"
	"fmt"
	"time"

	"github.com/tarn-data/tarn/internal/pg"
)

// listenWait is how long the first load waits for the listener, which some servers can't have.
const listenWait = 500 * time.Millisecond

// listener is what listens on a channel.
type listener struct {
	channel string
	stop    context.CancelFunc
}

// listen begins, ends or changes listening for requests to reload, as the settings say.
func (e *Engine) listen(ctx context.Context) {
	cfg := e.Config()
	wanted := ""
	if cfg.ChannelEnabled {
		wanted = cfg.Channel
	}
	if wanted == e.listener.channel {
		return
	}
	if e.listener.stop != nil {
		e.listener.stop()
	}
	e.listening.Store(false)
	e.listener = listener{channel: wanted}
	if wanted != "" {
		ctx, e.listener.stop = context.WithCancel(ctx)
		e.startListening(ctx, wanted)
	}
}

// startListening starts a listener, and waits a while until it listens, or can't: so no change between the first load and
// the first notification is missed.
func (e *Engine) startListening(ctx context.Context, channel string) {
	tried := make(chan struct{}, 1)
	done := func() {
		select {
		case tried <- struct{}{}:
		default:
		}
	}
	l := pg.Listener{
		URL: e.Config().DBURI, AppName: e.opt.AppName, Channel: channel, Log: e.opt.Log,
		Connected: func() {
			late := e.loading.Load()
			e.listening.Store(true)
			done()
			if late {
				e.request(reloadAll) // what changed before was not heard of
			}
		},
		Lost: func(err error) {
			e.listening.Store(false)
			done()
			if !e.Config().PoolAutoRecovery {
				e.fail(fmt.Errorf("automatic recovery is off: %w", err))
			}
		},
		Notified: e.notified,
	}
	e.done.Go(func() { l.Run(ctx) })
	t := time.NewTimer(listenWait)
	defer t.Stop()
	select {
	case <-tried:
	case <-t.C:
	case <-ctx.Done():
	}
}

// notified heeds a notification. What it doesn't know is for others.
func (e *Engine) notified(payload string) {
	kind, known := map[string]reloadKind{"": reloadAll, "reload schema": reloadSchema | renewPool, "reload config": reloadConfig}[payload]
	if known {
		e.opt.Log.Info("notified", "payload", payload)
		e.request(kind)
	}
}
