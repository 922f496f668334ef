package exec

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/pg"
)

// primaryMayTell tells whether what failed on a replica may succeed on the primary server. What the request's values are to
// blame for, or what took too long, will fail there, too.
func primaryMayTell(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return outOfReach(err)
	}
	const canceled = "57014"
	if pgErr.Code == canceled || len(pgErr.Code) < 2 {
		return false
	}
	switch pgErr.Code[:2] {
	case "08", "53", "57", "58", "XX": // connections, resources, what the server does, and what it should not
		return true
	case "0A", "25", "55": // what a standby can't do
		return true
	case "40": // conflicts with what is replayed
		return true
	case "26", "28", "3D", "3F", "42": // what may have been made or granted only just now
		return true
	}
	return false
}

// unreachable tells whether a replica could not be reached or was lost, not only busy.
func unreachable(err error) bool {
	return outOfReach(err) && !errors.Is(err, pg.ErrAcquireTimeout)
}

func outOfReach(err error) bool {
	_, connecting := errors.AsType[*ConnectError](err)
	_, lost := errors.AsType[*lostError](err)
	return connecting || lost
}
