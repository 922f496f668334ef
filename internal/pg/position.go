package pg

import (
	"context"
	"sort"
	"time"

	"github.com/jackc/pgx/v5"
)

// position is how far a server is in the log that a primary server writes and standbys replay.
type position struct {
	lsn     int64
	standby bool
	system  string // identifier of the database system, which standbys share with their primary
}

const (
	// What is committed without waiting for the disk isn't covered by what is flushed.
	primaryPosition = `SELECT (CASE WHEN current_setting('synchronous_commit') = 'off'
  THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_flush_lsn() END - '0/0'::pg_lsn)::bigint,
  false, (SELECT system_identifier::text FROM pg_control_system())`

	replicaPosition = `SELECT coalesce((pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint, -1),
  pg_is_in_recovery(), (SELECT system_identifier::text FROM pg_control_system())`
)

// prober asks a server for its position, on a connection of its own.
type prober struct {
	url, appName string
	connect      func(ctx context.Context, url, appName string) (*pgx.Conn, error)
	query        string
	conn         *pgx.Conn
}

func (p *prober) ask(ctx context.Context) (position, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var at position
	if p.conn == nil {
		conn, err := p.connect(ctx, p.url, p.appName)
		if err != nil {
			return at, err
		}
		p.conn = conn
	}
	err := p.conn.QueryRow(ctx, p.query).Scan(&at.lsn, &at.standby, &at.system)
	if err != nil {
		p.close(ctx)
	}
	return at, err
}

func (p *prober) close(ctx context.Context) {
	if p.conn != nil {
		_ = p.conn.Close(context.WithoutCancel(ctx)) // it is of no more use
		p.conn = nil
	}
}

// maxSamples is how many samples are kept: a quarter of an hour, if the primary server never rests.
const maxSamples = 1024

// positions are where the primary server was at which time, oldest first.
type positions struct{ samples []sample }

// sample says that what was committed until a time is in the log before a position.
type sample struct {
	at     time.Duration
	lsn    int64
	system string
}

// add adds where the primary server was found after a time.
func (p *positions) add(at time.Duration, pos position) {
	// At the beginning of a page, the place to insert is behind the page's header, which nobody replays.
	lsn := pos.lsn
	if header := lsn % 8192; header == 24 || header == 40 {
		lsn -= header
	}
	s := sample{at: at, lsn: lsn, system: pos.system}
	n := len(p.samples)
	switch {
	case n > 0 && (s.lsn < p.samples[n-1].lsn || s.system != p.samples[n-1].system): // it is another server by now
		p.samples = append(p.samples[:0], s)
	case n > 0 && s.lsn == p.samples[n-1].lsn:
		p.samples[n-1].at = at
	case n == maxSamples:
		p.samples = append(p.samples[:0], p.samples[n/2:]...)
		p.samples = append(p.samples, s)
	default:
		p.samples = append(p.samples, s)
	}
}

func (p *positions) last() (sample, bool) {
	if len(p.samples) == 0 {
		return sample{}, false
	}
	return p.samples[len(p.samples)-1], true
}

// reached is the latest time of which it is known that whoever has replayed so much has all that was committed until
// then; negative if none is.
func (p *positions) reached(lsn int64) time.Duration {
	i := sort.Search(len(p.samples), func(i int) bool { return p.samples[i].lsn > lsn })
	if i == 0 {
		return never
	}
	return p.samples[i-1].at
}
