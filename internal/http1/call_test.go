package http1

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestCall does with a call what can be done with contexts.
func TestCall(t *testing.T) {
	t.Parallel()
	type key struct{}
	for _, asked := range []string{"before", "after"} {
		c := &call{Context: context.WithValue(t.Context(), key{}, "value")}
		if asked == "before" {
			select {
			case <-c.Done():
				t.Error("it has ended")
			default:
			}
		}
		child, stop := context.WithTimeout(c, time.Hour)
		defer stop()
		ran := make(chan string, 4)
		kept := context.AfterFunc(c, func() { ran <- "after" })
		dropped := context.AfterFunc(c, func() { ran <- "dropped" })
		direct := c.AfterFunc(func() { ran <- "direct" })
		other := c.AfterFunc(func() { ran <- "other" })
		if !dropped() || dropped() || !other() || other() || c.Err() != nil || child.Value(key{}) != "value" {
			t.Error(c.Err())
		}
		c.cancel()
		c.cancel()
		<-c.Done()
		<-child.Done()
		if !errors.Is(c.Err(), context.Canceled) || !errors.Is(child.Err(), context.Canceled) || !errors.Is(context.Cause(child), context.Canceled) {
			t.Error(c.Err(), child.Err(), context.Cause(child))
		}
		got := map[string]bool{<-ran: true, <-ran: true}
		if !got["after"] || !got["direct"] || kept() || direct() {
			t.Error(got)
		}
		late := make(chan struct{})
		if stop := c.AfterFunc(func() { close(late) }); stop() {
			t.Error("what runs was stopped")
		}
		<-late
		grandchild, stop := context.WithCancel(c)
		defer stop()
		if grandchild.Err() == nil {
			t.Error("a context of one that has ended goes on")
		}
		if len(ran) > 0 {
			t.Error(<-ran)
		}
	}
}
