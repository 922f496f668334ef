package dataapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/dataapi/exec"
	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/payload"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/prepared"
	"github.com/tarn-data/tarn/internal/dataapi/reply"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
	"github.com/tarn-data/tarn/internal/fault"
)

// Mount is where in a request's URL the API's root is.
type Mount struct {
	Base   string // before the API's own path; empty at the root
	Path   string // the API's own path, decoded
	Schema string // named by the URL; empty where profiles choose it
	Origin string // scheme and host that the client asked, for the root document; empty for the settings'
}

// visit is one request on its way.
type visit struct {
	engine *Engine
	state  *state
	mount  Mount
	caller *auth.Principal
	asked  *http.Request
	timing timing
	sent   []string // the SQL, where it is to be logged
	writer http.ResponseWriter
	rows   *exec.Result // whose buffer can be used again when the answer is written
	stream *stream      // set once a part of the answer is on its way
	body   *body
	spool  spool // a part of the answer, until it may leave
}

// ServeHTTP answers at the root.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.Serve(w, r, Mount{Path: r.URL.Path})
}

// Serve answers a request to an API that is mounted somewhere.
func (e *Engine) Serve(w http.ResponseWriter, r *http.Request, m Mount) {
	st := e.state.Load()
	if h := st.cfg.TraceHeader; h != "" {
		w.Header().Set(h, r.Header.Get(h))
	}
	if st.cors(w, r) {
		return
	}
	ctx := r.Context()
	if e.opt.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.opt.Timeout)
		defer cancel()
	}
	v := visit{engine: e, state: st, mount: m, asked: r, writer: w, timing: timing{on: st.cfg.ServerTiming}}
	defer v.spool.close()
	answer, err := v.walk(ctx, w, r)
	if v.stream != nil {
		v.stream.finish(r, answer, err)
		return
	}
	if err != nil {
		v.body.drain(st.cfg.MaxBody)
		f := fault.From(err)
		e.logFault(r, f)
		answer = reply.Error(f, st.cfg.ErrorVerbosity == config.Minimal)
	} else {
		v.decorate(answer)
	}
	v.logQueries(r, answer.Status)
	writeAfter(w, answer, &v.spool)
	if v.rows != nil {
		v.state.runner.Recycle(v.rows)
	}
}

// walk takes a request through its values.
func (v *visit) walk(ctx context.Context, w http.ResponseWriter, r *http.Request) (*reply.Reply, error) {
	v.timing.start()
	caller, err := v.state.auth.Authenticate(r.Header)
	if err != nil {
		return nil, err
	}
	v.caller = caller
	tellRole(w, caller.Role)
	v.timing.end("jwt")
	if v.state.cache == nil {
		return nil, v.engine.unavailable("PGRST002", "Could not query the database for the schema cache. Retrying.")
	}
	if err := v.engine.checkRole(v.state, caller.Role); err != nil {
		return nil, err
	}
	if v.body, err = openBody(w, r, v.state.cfg.LongestBody()); err != nil {
		return nil, err
	}
	opt, err := v.requestOptions()
	if err != nil {
		return nil, err
	}
	in := request.Input{
		Method: r.Method, Path: v.mount.Path, URI: v.mount.Path, Query: r.URL.RawQuery, Header: r.Header, Body: v.body.head,
	}
	if !v.body.ended {
		in.Stream = v.body
	}
	answer, err := v.try(ctx, in, opt)
	if errors.Is(err, payload.ErrWhole) {
		if in.Body, err = v.body.hold(v.state.cfg.MaxBody); err != nil {
			return nil, err
		}
		in.Stream = nil
		answer, err = v.try(ctx, in, opt)
	}
	return answer, err
}

// try is the walk from the request's parts on, and again where the schema has changed.
func (v *visit) try(ctx context.Context, in request.Input, opt request.Options) (*reply.Reply, error) {
	answer, err := v.answer(ctx, in, opt)
	if v.stream == nil && !v.body.taken && v.stale(err) && v.engine.refresh(ctx, v.state) {
		// The schema has changed since the snapshot was made. Nothing was committed nor sent, so it can be tried anew.
		v.spool.close()
		v.state = v.engine.state.Load()
		answer, err = v.answer(ctx, in, opt)
	}
	return answer, err
}

func (v *visit) requestOptions() (request.Options, error) {
	cfg := v.state.cfg
	opt := request.Options{
		Schemas:         cfg.Schemas,
		TxAllowOverride: cfg.TxAllowOverride,
		OpenAPIDisabled: cfg.OpenAPIMode == config.OpenAPIDisabled,
		RootSpec:        cfg.RootSpec,
		MaxRow:          int(cfg.MaxBody),
	}
	if s := v.mount.Schema; s != "" && s != cfg.Schemas[0] {
		i := slices.Index(cfg.Schemas, s)
		if i < 0 {
			return opt, request.UnknownSchema(s, cfg.Schemas)
		}
		opt.Schemas = append([]string{s}, slices.Delete(slices.Clone(cfg.Schemas), i, i+1)...)
	}
	return opt, nil
}

// answer is the walk from the request on.
func (v *visit) answer(ctx context.Context, in request.Input, opt request.Options) (*reply.Reply, error) {
	v.timing.start()
	v.body.rewind()
	w, err := v.state.work.Prepare(in, opt)
	if err != nil {
		return nil, err
	}
	v.timing.end("parse")
	v.timing.start()
	v.timing.end("plan") // which was part of it
	v.timing.start()
	req := w.Request
	switch p := w.Plan.(type) {
	case *plan.Info:
		v.timing.end("transaction")
		v.timing.start()
		defer v.timing.end("response")
		return reply.Info(p), nil
	case *plan.Inspect:
		doc, err := v.inspect(ctx, req, p)
		if err != nil {
			return nil, err
		}
		v.timing.end("transaction")
		v.timing.start()
		defer v.timing.end("response")
		return reply.Document(p, req, doc), nil
	case *plan.Read, *plan.Mutate, *plan.Call:
	}
	res, err := v.run(ctx, w, in, opt)
	if errors.Is(err, payload.ErrWhole) {
		return nil, err
	}
	if err != nil {
		return nil, v.databaseFault(ctx, err)
	}
	v.timing.end("transaction")
	v.timing.start()
	defer v.timing.end("response")
	if w.Query.Explained {
		return reply.Explained(mediaOf(w.Plan), req, res.Plan), nil
	}
	row := res.Row
	row.Total = total(req.Prefer.Count, row.Total, res.Planned, v.state.cfg.MaxRows)
	r, err := reply.New(w.Plan, req, &row, v.mount.Base)
	if err == nil {
		reply.WarnLegacyTargets(r, w.Legacy)
		v.logLegacyTargets(req, w.Legacy)
	}
	return r, err
}

// run has the database do what the plan says.
func (v *visit) run(ctx context.Context, w *prepared.Work, in request.Input, opt request.Options) (*exec.Result, error) {
	req, q := w.Request, w.Query
	defer v.wrote(w.Plan)
	if q.Load != nil {
		return v.load(ctx, w)
	}
	session := v.session(req, w.Plan)
	session.Replica = v.replica(in, w.Plan)
	if read, ok := w.Plan.(*plan.Read); ok && q.Rows != sqlgen.NoRows {
		res, err := v.state.runner.RunRows(ctx, session, q, v.sink(w, read))
		if !errors.Is(err, exec.ErrUnknownType) {
			v.rows = res
			return res, err
		}
		// The relation has changed to a type that only the database can render.
		if w, err = v.state.work.Anew(in, opt, func(o *sqlgen.Options) { o.Whole = true }); err != nil {
			return nil, err
		}
	}
	var must exec.Check
	if !w.Query.Explained {
		must = check(w.Plan, req)
	}
	return v.state.runner.Run(ctx, session, w.Query, v.end(req), must)
}

// end is how the transaction is to end.
func (v *visit) end(req *request.Request) exec.End {
	switch req.Prefer.Tx {
	case request.Commit:
		return exec.Commit
	case request.Rollback:
		return exec.Rollback
	case request.DefaultTx:
	}
	if v.state.cfg.TxRollbackAll {
		return exec.Rollback
	}
	return exec.Commit
}

// total is the number of rows that Content-Range names.
func total(mode request.CountMode, counted, planned *int64, maxRows int64) *int64 {
	switch mode {
	case request.Planned:
		return planned
	case request.Estimated:
		// Where the exact count is small enough to have been made, it is better than an estimate.
		if counted != nil && planned != nil && *counted > maxRows {
			most := max(*counted, *planned)
			return &most
		}
		return counted
	case request.Exact, request.NoCount:
	}
	return counted
}

func mediaOf(p plan.Plan) media.Type {
	switch p := p.(type) {
	case *plan.Read:
		return p.Media
	case *plan.Mutate:
		return p.Media
	case *plan.Call:
		return p.Media
	case *plan.Inspect, *plan.Info:
	}
	return media.Of(media.JSON)
}

// stale tells whether an error may come of a snapshot that is behind the database's schema.
func (v *visit) stale(err error) bool {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pgErr.Code {
		case "42703", "42P01", "42883", "42704", "3F000": // undefined column, table, function, object, schema
			return true
		}
		return false
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !v.engine.opt.HealMisses {
		return false
	}
	switch f.Code {
	case "PGRST200", "PGRST202", "PGRST204", "PGRST205": // no relationship, routine, column, relation
		return true
	}
	return false
}

const (
	// refreshPause is how long at least after a request had the snapshot loaded anew no other may, and refreshShare how
	// many times the duration of a load: what clients get wrong must not keep the database busy with loads.
	refreshPause = 100 * time.Millisecond
	refreshShare = 10
	refreshWait  = 5 * time.Second // how long a request waits for its load
)
