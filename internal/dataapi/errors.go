package dataapi

import (
	"context"
	"errors"
	"net"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/dataapi/exec"
	"github.com/tarn-data/tarn/internal/dataapi/reply"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/pg"
)

// errClientGone says that nobody waits for the answer.
var errClientGone = errors.New("the client went away")

func (v *visit) databaseFault(ctx context.Context, err error) *fault.Error {
	return v.engine.databaseFault(ctx, err, v.caller.Role != v.state.cfg.AnonRole)
}

// databaseFault makes a fault of what went wrong at the database.
func (e *Engine) databaseFault(ctx context.Context, err error, authenticated bool) *fault.Error {
	var (
		known   *fault.Error
		pgErr   *pgconn.PgError
		connect *exec.ConnectError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault.New(fault.TimedOut, "PGRST003", "The request took longer than the server allows.").
			WithHint("Ask for fewer rows, or have the administrator raise the time limit.").WithCause(err)
	case ctx.Err() != nil:
		return fault.New(499, "499", "Client closed request").WithCause(errClientGone)
	case errors.Is(err, pg.ErrAcquireTimeout):
		e.Stats.PoolTimeouts.Add(1)
		return fault.New(fault.TimedOut, "PGRST003", "Timed out acquiring connection from connection pool.").WithCause(err)
	case errors.As(err, &connect):
		e.lostConnection()
		return e.unavailable("PGRST000", "Database connection error.").WithDetails(connectDetails(err)).WithCause(err)
	case errors.As(err, &pgErr):
		f := reply.FromPostgres(postgresError(pgErr), authenticated).WithCause(err)
		if f.Kind == fault.Unavailable {
			e.lostConnection()
			return f.WithHeader("Retry-After", e.retryAfter())
		}
		return f
	}
	e.lostConnection()
	return e.unavailable("PGRST001", "Database client error. Retrying the connection.").WithCause(err)
}

func postgresError(e *pgconn.PgError) reply.PostgresError {
	return reply.PostgresError{
		Code: e.Code, Message: e.Message, Detail: e.Detail, Hint: e.Hint, HasDetail: e.Detail != "",
	}
}

// connectDetails tells why a connection failed, without the address that the driver's text has.
func connectDetails(err error) any {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Message
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return nil
}

func (e *Engine) unavailable(code, message string) *fault.Error {
	return fault.New(fault.Unavailable, code, message).WithHeader("Retry-After", e.retryAfter())
}

func (e *Engine) retryAfter() string { return strconv.FormatInt(e.retry.Load(), 10) }

// lostConnection has the snapshot loaded anew, which also finds out when the database is back.
func (e *Engine) lostConnection() {
	if e.up.CompareAndSwap(true, false) {
		e.request(reloadAll)
	}
}
