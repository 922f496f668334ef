package dataapi

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/pg"
)

// openPools makes the pool of the primary server and those of its replicas.
func openPools(cfg *config.DataAPI, opt Options) (*pg.Pool, *pg.Replicas, error) {
	po := pg.PoolOptions{
		URL:            cfg.DBURI,
		Size:           cfg.PoolSize,
		Reserve:        cfg.PoolReserve,
		AcquireTimeout: cfg.PoolAcquireTimeout,
		MaxLifetime:    cfg.PoolMaxLifetime,
		MaxIdleTime:    cfg.PoolMaxIdleTime,
		AppName:        opt.AppName,
		Log:            opt.Log,
	}
	pool, err := pg.OpenPool(po)
	if err != nil || len(cfg.Replicas) == 0 {
		return pool, nil, err
	}
	replicas, err := pg.OpenReplicas(pg.ReplicasOptions{
		Primary: cfg.DBURI, URLs: cfg.Replicas, MaxLag: cfg.ReplicaMaxLag, Pool: po, Log: opt.Log,
	})
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	return pool, replicas, nil
}

// replica chooses a replica to read from; nil for the primary server.
func (v *visit) replica(in request.Input, p plan.Plan) *pg.Replica {
	e := v.engine
	if e.replicas == nil || !e.readable.Load() || !readsOnly(p) {
		return nil
	}
	if slices.Contains(in.Header["Tarn-Read"], "primary") { // who asks insists on it
		return nil
	}
	return e.replicas.Pick(principal(v.caller))
}

// readsOnly tells whether a plan is to read, by what is promised of it.
func readsOnly(p plan.Plan) bool {
	switch p := p.(type) {
	case *plan.Read:
		return true
	case *plan.Call:
		return p.Invoke != request.InvokePost && p.Routine.Volatility != schema.Volatile
	case *plan.Mutate, *plan.Inspect, *plan.Info:
	}
	return false
}

// wrote remembers who may have written, so that they don't read from a replica that doesn't have it.
func (v *visit) wrote(p plan.Plan) {
	if v.engine.replicas == nil {
		return
	}
	if call, ok := p.(*plan.Call); readsOnly(p) || ok && call.ReadOnly {
		return
	}
	v.engine.replicas.Wrote(principal(v.caller))
}

// principal is who asks, also with another token.
func principal(p *auth.Principal) string {
	switch {
	case p.Anonymous:
		return ""
	case p.Name != "":
		return p.Name
	}
	return p.Claims
}

// readsAnywhere tells whether replicas can do what every request does first: a pre-request function must not write, as it
// promises by being stable or immutable.
func readsAnywhere(ctx context.Context, conn *pgx.Conn, cfg *config.DataAPI) (bool, error) {
	if cfg.PreRequest == "" || len(cfg.Replicas) == 0 {
		return true, nil
	}
	// Without a schema, all of the name must be fine. Whoever asks may use none of them.
	const query = `SELECT coalesce(bool_and(p.provolatile <> 'v'), false)
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.proname = $2 AND ($1 = '' OR n.nspname = $1)`
	function := qualified(cfg.PreRequest)
	var fine bool
	err := conn.QueryRow(ctx, query, function.Schema, function.Name).Scan(&fine)
	return fine, err
}
