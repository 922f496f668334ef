package request

import (
	"strings"

	"github.com/tarn-data/tarn/internal/fault"
)

// windows are the intervals of limit and offset parameters by the level that they are for: its path with limit at
// the end, as the client wrote it.
type windows struct {
	list  []levelWindow
	index map[string]int // of a level in list
}

type levelWindow struct {
	level    string
	interval interval
}

// readWindows collects limits and offsets. Of several of one level the last counts, and one that is no number is as
// good as none; but an offset with a limit that is none is taken for a mistake.
func readWindows(pairs []pair) *windows {
	all := &windows{}
	for _, p := range pairs {
		if p.hasValue && roleOf(p.name) == limitRole {
			limit, ok := number(p.value)
			all.set(p.name, firstRows(limit, ok))
		}
	}
	limited := len(all.list)
	for _, p := range pairs {
		if p.hasValue && roleOf(p.name) == offsetRole {
			offset, _ := number(p.value)
			all.setOffset(strings.TrimSuffix(p.name, "offset")+"limit", offset, limited)
		}
	}
	return all
}

// firstRows is the interval of a limit without an offset.
func firstRows(limit int64, ok bool) interval {
	if !ok {
		return interval{}
	}
	return rows(0, limit)
}

func (w *windows) set(level string, i interval) {
	if at, ok := w.index[level]; ok {
		w.list[at].interval = i
		return
	}
	if w.index == nil {
		w.index = make(map[string]int)
	}
	w.index[level] = len(w.list)
	w.list = append(w.list, levelWindow{level, i})
}

// setOffset moves the interval of a level, if it is among those limited by a limit parameter.
func (w *windows) setOffset(level string, offset int64, limited int) {
	at, ok := w.index[level]
	if !ok || at >= limited {
		w.set(level, interval{lower: offset})
		return
	}
	i := &w.list[at].interval
	var limit int64
	if i.bounded {
		limit = i.limit()
	}
	*i = rows(offset, limit)
}

// root returns the interval of the root.
func (w *windows) root() interval {
	if at, ok := w.index["limit"]; ok {
		return w.list[at].interval
	}
	return interval{}
}

// embeds returns the ranges of the embeds.
func (w *windows) embeds() ([]EmbedRange, error) {
	var out []EmbedRange
	for _, l := range w.list {
		if l.level == "limit" {
			continue
		}
		t, err := parseTarget(l.level)
		if err != nil {
			return nil, err
		}
		out = append(out, EmbedRange{Path: t.path, Range: l.interval.window()})
	}
	return out, nil
}

// topRange combines the Range header, which only a GET may have, with limit and offset.
func topRange(method string, header []string, limit interval) (Range, error) {
	var fromHeader interval
	if method == "GET" && len(header) > 0 {
		fromHeader = parseRange(header[0])
	}
	top := fromHeader.intersect(limit)
	switch {
	case limit.isZeroLimit():
		top = zeroRows()
	case fromHeader.empty():
		return Range{}, unsatisfiable("The lower boundary must be lower than or equal to the upper boundary in the Range header.")
	case top.empty():
		return Range{}, unsatisfiable("Limit should be greater than or equal to zero.")
	}
	if method == "PUT" && top != (interval{}) {
		return Range{}, fault.New(fault.Invalid, "PGRST114", "limit/offset querystring parameters are not allowed for PUT")
	}
	return top.window(), nil
}

func unsatisfiable(details string) error {
	return fault.New(fault.RangeUnsatisfiable, "PGRST103", "Requested range not satisfiable").WithDetails(details)
}

// parseRange reads a Range header of the form 0-9 or 10-. Anything else is every row.
func parseRange(s string) interval {
	from, to, ok := strings.Cut(s, "-")
	lower, isNumber := digits(from)
	if !ok || !isNumber {
		return interval{}
	}
	if to == "" {
		return interval{lower: lower}
	}
	upper, isNumber := digits(to)
	if !isNumber {
		return interval{}
	}
	return interval{lower: lower, upper: upper, bounded: true}
}
