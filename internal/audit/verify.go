package audit

import (
	"context"
	"fmt"
)

// Line is a record with its place in the chain.
type Line struct {
	Sequence int64
	Hash     Hash
	Entry
}

// Source is a log that can be verified.
type Source interface {
	// Bounds are the head before the first record that is kept, and the last head.
	Bounds(ctx context.Context) (start, head Head, err error)
	// Lines returns records that a query asks for.
	Lines(ctx context.Context, q Query) ([]Line, error)
}

// Report is what a verification has found.
type Report struct {
	Start    Head // before the first record
	Head     Head // after the last one
	Records  int64
	Problems []string // the first of them
	Found    int      // how many there are
}

const maxProblems = 20

func (r *Report) problem(format string, args ...any) {
	r.Found++
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// Verify follows the whole chain, and looks for heads that were known before.
func Verify(ctx context.Context, src Source, known []Head) (*Report, error) {
	start, head, err := src.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	v := NewVerifier(start, known)
	for v.at.Sequence < head.Sequence {
		lines, err := src.Lines(ctx, Query{After: v.at.Sequence, Ascending: true, Limit: manyEntries})
		if err != nil {
			return nil, err
		}
		if len(lines) == 0 {
			break
		}
		for _, line := range lines {
			if line.Sequence <= head.Sequence {
				v.Next(line)
			}
		}
		if lines[len(lines)-1].Sequence >= head.Sequence {
			break
		}
	}
	if v.at != head {
		v.report.problem("The log ends with %s, but its head is %s.", v.at, head)
	}
	return v.Report(), nil
}

// Verifier follows a chain, record by record.
type Verifier struct {
	at     Head
	known  map[int64]Hash
	report Report
}

// NewVerifier makes a verifier of what comes after a head.
func NewVerifier(start Head, known []Head) *Verifier {
	v := &Verifier{at: start, known: map[int64]Hash{}, report: Report{Start: start}}
	for _, h := range known {
		if h.Sequence > start.Sequence || h == start {
			v.known[h.Sequence] = h.Hash
		} else if h.Sequence == start.Sequence {
			v.report.problem("Record %d is not the one that was known.", h.Sequence)
		}
	}
	delete(v.known, start.Sequence)
	return v
}

// Next takes the next record. Each problem is told once: the rest is held against what is there.
func (v *Verifier) Next(line Line) {
	if line.Sequence != v.at.Sequence+1 {
		v.report.problem("Records %d to %d are missing.", v.at.Sequence+1, line.Sequence-1)
	} else if next := v.at.Next(line.Text); next.Hash != line.Hash {
		v.report.problem("Record %d, or its place in the log, is not what was written.", line.Sequence)
	}
	if e, err := ParseEntry(line.Text); err != nil || !e.same(&line.Entry) {
		v.report.problem("Record %d is not what it is listed as.", line.Sequence)
	}
	if hash, ok := v.known[line.Sequence]; ok {
		if hash != line.Hash {
			v.report.problem("Record %d is not the one that was known.", line.Sequence)
		}
		delete(v.known, line.Sequence)
	}
	v.at = Head{Sequence: line.Sequence, Hash: line.Hash}
	v.report.Records++
}

// Report tells what was found.
func (v *Verifier) Report() *Report {
	for n := range v.known {
		if n > v.at.Sequence {
			v.report.problem("The log ends with record %d, but record %d was known: what came after has been cut off.", v.at.Sequence, n)
		}
	}
	v.report.Head = v.at
	return &v.report
}
