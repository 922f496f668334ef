package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/ratelimit"
	"github.com/tarn-data/tarn/internal/throttle"
)

// TestRateShares has processes settle the same buckets at once: together they get no more than there is.
func TestRateShares(t *testing.T) {
	t.Parallel()
	state, _ := open(t)
	shares := state.RateShares()
	const processes, buckets, rounds = 4, 20, 15
	limit := ratelimit.Limit{Rate: 1, Burst: 30}
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		total [buckets]float64
	)
	begin := time.Now()
	for p := range processes {
		all.Go(func() {
			asks := make([]throttle.Ask, buckets)
			for i := range asks {
				asks[i] = throttle.Ask{Bucket: fmt.Sprintf("b%02d", i), Limit: limit, Settlement: ratelimit.Settlement{Need: 5}}
			}
			for range rounds {
				granted, n, err := shares.Settle(t.Context(), fmt.Sprint("process", p), asks)
				if err != nil || n < 1 || n > processes {
					t.Errorf("%d processes, %v", n, err)
					return
				}
				mu.Lock()
				for i := range granted {
					total[i] += granted[i]
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for i, got := range total {
		if most := limit.Burst + limit.Rate*time.Since(begin).Seconds() + 0.001; got > most || got < limit.Burst*0.9 {
			t.Errorf("bucket %d granted %v, of %v", i, got, most)
		}
	}
	// A debt is paid before anything is granted again.
	debt := []throttle.Ask{{Bucket: "debtor", Limit: limit, Settlement: ratelimit.Settlement{Back: -45, Need: 5}}}
	if granted, _, err := shares.Settle(t.Context(), "process0", debt); err != nil || granted[0] != 0 {
		t.Errorf("a debtor got %v, %v", granted, err)
	}
	if err := shares.Leave(t.Context(), "process0"); err != nil {
		t.Error(err)
	}
	if _, n, err := shares.Settle(t.Context(), "process1", nil); err != nil || n != processes-1 {
		t.Errorf("%d processes, %v", n, err)
	}
	if err := shares.Clean(t.Context(), 0); err != nil {
		t.Error(err)
	}
	if granted, _, err := shares.Settle(t.Context(), "process1", []throttle.Ask{{Bucket: "debtor", Limit: limit, Settlement: ratelimit.Settlement{Need: 5}}}); err != nil || granted[0] != 5 {
		t.Errorf("a bucket that was forgotten granted %v, %v", granted, err)
	}
}
