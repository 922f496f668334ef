package server

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/tarn-data/tarn/internal/dataapi"
)

// reloadOnSignal heeds the signals that PostgREST heeds, until the function that it returns is called.
func reloadOnSignal(each engines) (stop func()) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				each(func(_ string, e *dataapi.Engine) {
					if s == syscall.SIGUSR1 {
						e.ReloadSchema()
					} else {
						e.ReloadConfig()
					}
				})
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}
