// Package ratelimit provides the arithmetic of rate limits: how many tokens there are, how they come and go, and what a
// process asks for of a bucket that it shares with others. It doesn't know what is limited, nor where a shared bucket is.
package ratelimit

import (
	"math"
	"time"
)

// Limit is how often something may be done: Rate times a second, and Burst times at once. With no rate there is no limit.
type Limit struct {
	Rate  float64
	Burst float64
}

// Unlimited tells whether there is no limit.
func (l Limit) Unlimited() bool { return l.Rate <= 0 }

// Part is the part of one of n processes that share the limit evenly. One token is the least that a bucket can hold to be
// of use.
func (l Limit) Part(n int) Limit {
	n = max(1, n)
	return Limit{Rate: l.Rate / float64(n), Burst: max(1, l.Burst/float64(n))}
}

// Bucket holds the tokens that a process may spend. Its zero value is of no use: see New.
//
// Either the process fills it by itself, or the bucket is a lease: then tokens come from a bucket that several processes
// share, and what was spent before the first of them came is a debt.
type Bucket struct {
	tokens float64
	owed   float64       // tokens that were here before the shared bucket gave any
	demand float64       // how many were asked for since the last settlement
	share  float64       // how many it can hold while it isn't leased
	at     time.Duration // when it was last filled
	leased bool
}

// New makes a bucket that holds the part of one of n processes.
func New(l Limit, n int, now time.Duration) Bucket {
	part := l.Part(n).Burst
	b := Bucket{tokens: part, share: part, at: now, leased: n > 1}
	if b.leased {
		b.owed = part
	}
	return b
}

// Fill adds the tokens that came since the bucket was last filled, to a bucket that isn't leased any more. It is for who
// isn't, or can't be, in touch with others.
func (b *Bucket) Fill(part Limit, now time.Duration) {
	if b.leased {
		b.leased, b.owed, b.at = false, 0, now
	}
	b.share = part.Burst
	if elapsed := (now - b.at).Seconds(); elapsed > 0 {
		b.tokens = max(b.tokens, min(part.Burst, b.tokens+elapsed*part.Rate))
		b.at = now
	}
}

// Take takes a token, if there is one.
func (b *Bucket) Take() bool {
	b.demand++
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// Wait is how long it takes until the next token comes at a rate.
func (b *Bucket) Wait(rate float64) time.Duration {
	return time.Duration(math.Ceil((1 - b.tokens) / rate * float64(time.Second)))
}

// Low tells whether it is time to ask for more, since more is spent than what is left.
func (b *Bucket) Low() bool { return b.leased && b.tokens < b.demand }

// Settlement is what a process tells a shared bucket: what it gives back, or owes if that is below zero, and how many
// tokens it needs. They are not more than the demand of the moment calls for, so that of scarce tokens each process gets
// in proportion to its demand.
type Settlement struct {
	Back float64
	Need float64
}

// Settle begins a settlement of a process among n. What is given back is gone at once. Its second result tells whether
// there is anything to settle.
func (b *Bucket) Settle(l Limit, n int) (Settlement, bool) {
	if !b.leased { // so far the tokens were here, but the shared bucket begins full
		b.leased, b.owed = true, b.share
	}
	keep := max(l.Part(n).Burst, min(l.Burst, 2*b.demand))
	s := Settlement{Back: max(0, b.tokens-keep)}
	b.tokens -= s.Back
	s.Need = max(0, keep-b.tokens)
	s.Back -= b.owed
	changed := b.demand > 0 || s.Back != 0
	b.owed, b.demand = 0, 0
	return s, changed
}

// Settled ends a settlement with the tokens that were granted.
func (b *Bucket) Settled(granted float64, now time.Duration) {
	b.tokens += granted
	b.at = now
}

// Unsettled takes a settlement back that came to nothing.
func (b *Bucket) Unsettled(s Settlement) {
	if s.Back < 0 {
		b.owed -= s.Back
	} else {
		b.tokens += s.Back
	}
}

// Shared is a bucket that processes share. It is what stores of such buckets compute, each in its own language.
type Shared struct {
	Tokens float64 // below zero while there is debt
	At     time.Duration
	Slot   int64   // the time that wanted is of
	Wanted float64 // what all needed in that time
	Before float64 // and in the time before
}

// SlotLength is how long demand counts, and as long again.
const SlotLength = 250 * time.Millisecond

// NewShared makes a bucket that is full.
func NewShared(l Limit, now time.Duration) Shared { return Shared{Tokens: l.Burst, At: now} }

// Settle has a process settle, and returns what it gets.
func (b *Shared) Settle(l Limit, s Settlement, now time.Duration) (granted float64) {
	b.Tokens = min(l.Burst, b.Tokens+max(0, (now-b.At).Seconds())*l.Rate+s.Back)
	b.At = max(b.At, now)
	switch slot := int64(now / SlotLength); slot {
	case b.Slot:
		b.Wanted += s.Need
	case b.Slot + 1:
		b.Slot, b.Before, b.Wanted = slot, b.Wanted, s.Need
	default:
		b.Slot, b.Before, b.Wanted = slot, 0, s.Need
	}
	if s.Need <= 0 || b.Tokens <= 0 {
		return 0
	}
	granted = min(s.Need, b.Tokens*s.Need/max(b.Wanted, b.Before, s.Need))
	b.Tokens -= granted
	return granted
}
