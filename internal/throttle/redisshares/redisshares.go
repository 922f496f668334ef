// Package redisshares keeps the buckets of rate limits that processes share in Redis, with Redis' clock. It doesn't know
// what is limited.
package redisshares

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/tarn-data/tarn/internal/throttle"
)

//go:embed settle.lua
var settleScript string

// The braces keep all keys in one slot of a cluster, since one script asks for several.
const (
	prefix    = "{tarn:rate}:"
	processes = prefix + "processes"
)

// Shares are buckets in Redis. It is safe for concurrent use.
type Shares struct {
	client redis.UniversalClient
	settle *redis.Script
}

// Open makes shares at a URL such as redis://user:password@host:6379/0, or rediss:// for TLS.
func Open(url string) (*Shares, error) {
	opt, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("address of Redis: %w", err)
	}
	return &Shares{client: redis.NewClient(opt), settle: redis.NewScript(settleScript)}, nil
}

// Settle implements throttle.Shares.
func (s *Shares) Settle(ctx context.Context, process string, asks []throttle.Ask) (granted []float64, n int, err error) {
	keys := make([]string, 0, len(asks)+1)
	args := make([]any, 0, 4*len(asks)+2)
	keys, args = append(keys, processes), append(args, process, throttle.ForgetAfter.Seconds())
	for _, a := range asks {
		keys = append(keys, prefix+a.Bucket)
		args = append(args, a.Limit.Rate, a.Limit.Burst, a.Back, a.Need)
	}
	out, err := s.settle.Run(ctx, s.client, keys, args...).StringSlice()
	if err != nil {
		return nil, 0, err
	}
	if len(out) != len(keys) {
		return nil, 0, fmt.Errorf("redis answered %d figures for %d buckets", len(out), len(asks))
	}
	if n, err = strconv.Atoi(out[0]); err != nil {
		return nil, 0, err
	}
	granted = make([]float64, len(asks))
	for i := range granted {
		if granted[i], err = strconv.ParseFloat(out[i+1], 64); err != nil {
			return nil, 0, err
		}
	}
	return granted, n, nil
}

// Leave implements throttle.Shares.
func (s *Shares) Leave(ctx context.Context, process string) error {
	return s.client.ZRem(ctx, processes, process).Err()
}

// Close closes the connections.
func (s *Shares) Close() error { return s.client.Close() }
