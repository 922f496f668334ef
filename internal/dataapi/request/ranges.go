package request

import (
	"math"
	"strconv"
	"strings"
)

// Restrict returns the range with at most so many rows. A limit that is less stays.
func (r Range) Restrict(rows int64) Range {
	if !r.Limited || r.Limit > rows {
		r.Limit, r.Limited = rows, true
	}
	return r
}

// ContentRange is the value of the Content-Range header: the rows from lower to upper of a total, which may not be
// known. When upper is below lower there are none.
func ContentRange(lower, upper int64, total *int64) string {
	b := make([]byte, 0, 32)
	if lower <= upper && (total == nil || *total != 0) {
		b = strconv.AppendInt(b, lower, 10)
		b = append(b, '-')
		b = strconv.AppendInt(b, upper, 10)
	} else {
		b = append(b, '*')
	}
	b = append(b, '/')
	if total == nil {
		b = append(b, '*')
	} else {
		b = strconv.AppendInt(b, *total, 10)
	}
	return string(b)
}

// RangeStatus is the status of an answer with the rows from lower to upper: 200 for all of them, 206 for a part, 416
// when lower is past the total.
func RangeStatus(lower, upper int64, total *int64) int {
	switch {
	case total == nil:
		return 200
	case lower > *total:
		return 416
	case 1+upper-lower < *total:
		return 206
	}
	return 200
}

// interval is a range of row numbers, both ends included. No end is unbounded.
type interval struct {
	lower, upper int64
	bounded      bool
}

// rows makes the interval of limit rows after offset.
func rows(offset, limit int64) interval {
	return interval{lower: offset, upper: add(offset, limit-1), bounded: true}
}

// zeroRows is the interval of limit=0. It is the only empty one that a request may have.
func zeroRows() interval { return interval{lower: 0, upper: -1, bounded: true} }

func (i interval) empty() bool { return i.bounded && i.upper < i.lower }

// isZeroLimit tells an interval of limit=0, which the client may ask for, from one that is empty by mistake.
func (i interval) isZeroLimit() bool { return i.bounded && i.upper == -1 }

func (i interval) intersect(o interval) interval {
	i.lower = max(i.lower, o.lower)
	switch {
	case i.bounded && o.bounded:
		i.upper = min(i.upper, o.upper)
	case o.bounded:
		i.upper, i.bounded = o.upper, true
	}
	return i
}

func (i interval) limit() int64 {
	return add(add(i.upper, -i.lower), 1)
}

func (i interval) window() Range {
	r := Range{Offset: i.lower, Limited: i.bounded}
	if i.bounded {
		r.Limit = i.limit()
	}
	return r
}

// add is a sum that stays at the end of the numbers instead of going around.
func add(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	}
	return a + b
}

// number reads an integer. One that is too large for a number of rows is the largest.
func number(s string) (int64, bool) {
	s, negative := strings.CutPrefix(strings.TrimSpace(s), "-")
	n, ok := digits(strings.TrimLeft(s, " "))
	if negative {
		n = -n
	}
	return n, ok
}

// digits reads a number without a sign.
func digits(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil { // it is out of range
		n = math.MaxInt64
	}
	return n, true
}
