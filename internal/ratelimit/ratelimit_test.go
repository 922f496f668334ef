package ratelimit_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/ratelimit"
)

func TestAlone(t *testing.T) {
	l := ratelimit.Limit{Rate: 10, Burst: 5}
	b := ratelimit.New(l, 1, 0)
	count := func(now time.Duration, tries int) (taken int) {
		for range tries {
			b.Fill(l, now)
			if b.Take() {
				taken++
			}
		}
		return taken
	}
	for _, c := range []struct {
		at          time.Duration
		tries, want int
	}{
		{0, 10, 5}, {50 * time.Millisecond, 10, 0}, {100 * time.Millisecond, 10, 1}, {300 * time.Millisecond, 10, 2},
		{time.Hour, 10, 5}, {time.Minute, 10, 0 /* time went back */},
	} {
		if got := count(c.at, c.tries); got != c.want {
			t.Errorf("at %s: took %d, want %d", c.at, got, c.want)
		}
	}
	if got, want := b.Wait(l.Rate), 100*time.Millisecond; got != want {
		t.Errorf("wait %s, want %s", got, want)
	}
}

// fleet are processes that share a bucket, in a time of their own.
type fleet struct {
	limit   ratelimit.Limit
	shared  ratelimit.Shared
	buckets []*ratelimit.Bucket
	rnd     *rand.Rand
}

func newFleet(n int, l ratelimit.Limit, seed uint64) *fleet {
	f := &fleet{limit: l, shared: ratelimit.NewShared(l, 0), rnd: rand.New(rand.NewPCG(seed, 1))}
	for range n {
		b := ratelimit.New(l, n, 0)
		f.buckets = append(f.buckets, &b)
	}
	return f
}

// play has calls come at rates a second to the processes, which settle every period, and returns when calls were admitted.
func (f *fleet) play(d, period time.Duration, rates func(now time.Duration) []float64) (admitted []time.Duration) {
	const step = time.Millisecond
	due := make([]time.Duration, len(f.buckets))
	for i := range due {
		due[i] = time.Duration(f.rnd.Int64N(int64(period)))
	}
	for now := time.Duration(0); now < d; now += step {
		for i, rate := range rates(now) {
			for calls := rate * step.Seconds(); calls > f.rnd.Float64(); calls-- {
				if f.buckets[i].Take() {
					admitted = append(admitted, now)
				}
			}
			if now >= due[i] || f.buckets[i].Low() && now >= due[i]-period+25*time.Millisecond {
				if s, changed := f.buckets[i].Settle(f.limit, len(f.buckets)); changed {
					f.buckets[i].Settled(f.shared.Settle(f.limit, s, now), now)
				}
				due[i] = now + period
			}
		}
	}
	return admitted
}

// most is how many more calls than rate × time were admitted in any window.
func most(admitted []time.Duration, rate float64) float64 {
	worst, low := 0.0, 0.0 // the largest rise of count − rate·t
	for i, at := range admitted {
		before := float64(i) - rate*at.Seconds()
		low = min(low, before)
		worst = max(worst, before+1-low)
	}
	return worst
}

// TestShared holds the bounds that the documentation states: in no window do processes admit more than the rate and twice
// the burst together, and who calls steadily gets all of the rate.
func TestShared(t *testing.T) {
	const d, period = 60 * time.Second, 200 * time.Millisecond
	l := ratelimit.Limit{Rate: 30, Burst: 30}
	for name, rates := range map[string]func(time.Duration) []float64{
		"even":    func(time.Duration) []float64 { return []float64{40, 40, 40} },
		"uneven":  func(time.Duration) []float64 { return []float64{100, 10, 1} },
		"one":     func(time.Duration) []float64 { return []float64{90, 0, 0} },
		"in turn": func(now time.Duration) []float64 { r := make([]float64, 3); r[now/time.Second%3] = 200; return r },
		"shifting": func(now time.Duration) []float64 {
			r := make([]float64, 3)
			r[now/(100*time.Millisecond)%3] = 300
			return r
		},
		"pulses": func(now time.Duration) []float64 {
			if now%(2*time.Second) < 100*time.Millisecond {
				return []float64{1000, 1000, 1000}
			}
			return []float64{20, 0, 0}
		},
	} {
		for seed := range uint64(20) {
			f := newFleet(3, l, seed)
			admitted := f.play(d, period, rates)
			if over := most(admitted, l.Rate); over > 2*l.Burst {
				t.Errorf("%s: %.0f more than the rate were admitted in some window", name, over)
			}
			if share := float64(len(admitted)) / (l.Rate * d.Seconds()); name != "pulses" && share < 0.97 {
				t.Errorf("%s: only %.3f of the rate was admitted", name, share)
			}
		}
	}
}

// TestSharedBelowTheLimit: who stays clearly below the rate is never refused.
func TestSharedBelowTheLimit(t *testing.T) {
	l := ratelimit.Limit{Rate: 30, Burst: 30}
	f := newFleet(3, l, 7)
	calls := 0
	admitted := f.play(60*time.Second, 200*time.Millisecond, func(now time.Duration) []float64 {
		r := make([]float64, 3)
		if now%(50*time.Millisecond) == 0 { // 20 a second, at one process and then another
			r[now/(700*time.Millisecond)%3] = 1000.5
			calls++
		}
		return r
	})
	if len(admitted) < calls {
		t.Errorf("%d of %d calls were admitted", len(admitted), calls)
	}
}

// TestScarce: of what is too little for all, those who need more get more, and those who need little are not starved.
func TestScarce(t *testing.T) {
	l := ratelimit.Limit{Rate: 30, Burst: 30}
	for _, c := range []struct {
		calls       [2]int // in each period
		least, most [2]float64
	}{
		{[2]int{6, 6}, [2]float64{0.45, 0.45}, [2]float64{0.55, 0.55}},
		{[2]int{1, 12}, [2]float64{0.15, 0.80}, [2]float64{0.20, 0.85}},
		{[2]int{0, 12}, [2]float64{0, 1}, [2]float64{0, 1}},
	} {
		f := newFleet(2, l, 3)
		took := [2]float64{}
		for now := time.Duration(0); now < time.Minute; now += 200 * time.Millisecond {
			for _, i := range f.rnd.Perm(len(c.calls)) { // who comes first, gets more
				for range c.calls[i] {
					if f.buckets[i].Take() {
						took[i]++
					}
				}
				if s, changed := f.buckets[i].Settle(l, 2); changed {
					f.buckets[i].Settled(f.shared.Settle(l, s, now), now)
				}
			}
		}
		for i := range took {
			if share := took[i] / (took[0] + took[1]); share < c.least[i] || share > c.most[i] {
				t.Errorf("of %v calls, process %d got %.2f of all", c.calls, i, share)
			}
		}
	}
}

func TestFailedSettlementLosesNothing(t *testing.T) {
	l := ratelimit.Limit{Rate: 30, Burst: 30}
	b := ratelimit.New(l, 3, 0)
	for range 4 {
		b.Take()
	}
	s, changed := b.Settle(l, 3)
	if !changed || s.Back != -10 || s.Need != 4 {
		t.Fatalf("settlement %+v, %t", s, changed)
	}
	b.Unsettled(s)
	again, _ := b.Settle(l, 3)
	if again.Back != -10 {
		t.Errorf("the debt became %v", again.Back)
	}
}
