package pg

import (
	"testing"
	"time"
)

func TestPositions(t *testing.T) {
	var p positions
	if _, known := p.last(); known || p.reached(1<<40) >= 0 {
		t.Error("something is known of nothing")
	}
	for at, lsn := range []int64{100, 100, 200, 200, 300} {
		p.add(time.Duration(at), position{lsn: lsn, system: "a"})
	}
	for lsn, want := range map[int64]time.Duration{99: never, 100: 1, 199: 1, 200: 3, 299: 3, 300: 4, 1 << 40: 4} {
		if got := p.reached(lsn); got != want {
			t.Errorf("%d: %d, want %d", lsn, got, want)
		}
	}
	// Behind the header of a page there is nothing yet to replay.
	for i, lsn := range []int64{8192 + 24, 16384 + 40, 24576 + 48} {
		at := time.Duration(10 + i)
		p.add(at, position{lsn: lsn, system: "a"})
		if got := p.reached(lsn &^ 8191); (got == at) != (i < 2) {
			t.Errorf("%d is reached at %d", lsn, got)
		}
	}
	for i := range 100_000 {
		p.add(time.Duration(100+i), position{lsn: int64(100_000 + 8*i), system: "a"})
	}
	if len(p.samples) > maxSamples {
		t.Errorf("%d samples", len(p.samples))
	}
	if last, _ := p.last(); last.lsn < 800_000 || p.reached(last.lsn-8) != last.at-1 {
		t.Errorf("%+v", last)
	}
	// Of another server nothing is known.
	for i, pos := range []position{{lsn: 50, system: "a"}, {lsn: 60, system: "b"}} {
		p.add(time.Duration(200_000+i), pos)
		if len(p.samples) != 1 || p.reached(49) >= 0 {
			t.Errorf("%+v", p.samples)
		}
	}
}
