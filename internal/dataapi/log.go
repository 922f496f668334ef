package dataapi

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/pg"
)

// roleTaker is a response writer that wants to know as which role a request is answered.
type roleTaker interface{ SetRole(string) }

func tellRole(w http.ResponseWriter, role string) {
	if t, ok := w.(roleTaker); ok {
		t.SetRole(role)
	}
}

// timeoutsEvery is how often at most it is logged that no connection became free: where it happens, it happens to many.
const timeoutsEvery = 5 * time.Second

// logFault logs what the server is to blame for; what clients do wrong is theirs to know, and what they are told in full
// is not said twice. Errors that the database's own code raises are less than those of Tarn.
func (e *Engine) logFault(r *http.Request, f *fault.Error) {
	told := f.Kind == fault.Internal && f.Cause == nil
	if f.Kind < fault.Internal || told || e.Config().LogLevel < config.LogError {
		return
	}
	if errors.Is(f.Cause, pg.ErrAcquireTimeout) && !e.oncePer(timeoutsEvery) {
		return
	}
	level := slog.LevelError
	if _, ok := errors.AsType[*pgconn.PgError](f.Cause); ok {
		level = slog.LevelWarn
	}
	e.opt.Log.Log(r.Context(), level, "request failed", "method", r.Method, "path", r.URL.Path, "status", int(f.Kind), "code", f.Code,
		"message", f.Message, "cause", f.Cause)
}

// oncePer tells whether it is that long ago that it last said so.
func (e *Engine) oncePer(d time.Duration) bool {
	now, last := time.Now().UnixNano(), e.lastTimeout.Load()
	return now-last >= int64(d) && e.lastTimeout.CompareAndSwap(last, now)
}

// logQueries logs the SQL of a request that is logged itself. It has no values: they are parameters.
func (v *visit) logQueries(r *http.Request, status int) {
	if len(v.sent) == 0 || !v.state.cfg.LogLevel.Logs(status) {
		return
	}
	for _, sql := range v.sent {
		v.engine.opt.Log.Log(r.Context(), slog.LevelInfo, "query", "sql", sql)
	}
}

// logLegacyTargets warns of embeds that were named in a way that will stop working.
func (v *visit) logLegacyTargets(req *request.Request, targets []plan.LegacyTarget) {
	if len(targets) == 0 {
		return
	}
	changes := make([]string, len(targets))
	for i, t := range targets {
		changes[i] = t.Name + " to " + t.Alias
	}
	v.engine.opt.Log.Warn("an embed that has an alias was referred to by its relation's name, which will stop working",
		"method", req.Method, "path", req.URI, "change", strings.Join(changes, ", "))
}
