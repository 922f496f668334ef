package synctable

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pace says how a target that follows a column is kept true.
type Pace struct {
	Overlap time.Duration // that rows may come late: so much of what was read is read again
	Keys    time.Duration // after which all keys are compared, which finds what was deleted
	Whole   time.Duration // after which all rows are
}

// Since makes the target's rows those of the source by reading only the rows whose column Latest has become greater since the last
// time. It does as Merge where it can't know, and the error is an Unfit if the column isn't a time.
func Since(ctx context.Context, conn *pgx.Conn, src *Postgres, t Target, pace Pace, told Progress) (Result, error) {
	src.repeatable = true
	return run(ctx, conn, src, t, func(c *copying) error {
		s := &since{copying: c, src: src, pace: pace, typing: timeType(c.columns, t.Latest)}
		if s.typing == "" {
			return &Unfit{fmt.Sprintf("the timeseries key %q is no time", t.Latest)}
		}
		if err := c.exec(ctx, "SET LOCAL datestyle = ISO"); err != nil {
			return err
		}
		return s.sync(ctx, told)
	})
}

// timeType is the type of a column of times, without its precision; empty for one of another type.
func timeType(columns []Column, name string) string {
	for _, c := range columns {
		switch {
		case c.Name != name:
		case c.Type == "date":
			return c.Type
		case strings.HasPrefix(c.Type, "timestamp") && strings.HasSuffix(c.Type, "with time zone"):
			return "timestamptz"
		case strings.HasPrefix(c.Type, "timestamp"):
			return "timestamp"
		}
	}
	return ""
}

// since is a copy that is made by a column.
type since struct {
	*copying

	src    *Postgres
	pace   Pace
	typing string
}

func (s *since) sync(ctx context.Context, told Progress) error {
	pos, err := s.recall(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	if pos == nil || pos.Mark == "" || s.altered() || now.Sub(pos.WholeAt) >= s.pace.Whole {
		return s.whole(ctx, told)
	}
	if now.Sub(pos.KeysAt) >= s.pace.Keys {
		lacks, err := s.keys(ctx, told)
		if err != nil {
			return err
		}
		if lacks { // a row came later than the overlap
			return s.whole(ctx, told)
		}
		pos.KeysAt = now
	}
	if err := s.changed(ctx, pos.Mark, told); err != nil {
		return err
	}
	pos.Rows += s.result.Inserted - s.result.Deleted
	s.result.Rows = pos.Rows
	mark, err := s.mark(ctx, staged)
	if err != nil {
		return err
	}
	if mark != "" {
		pos.Mark = mark
	}
	return s.remember(ctx, pos)
}

// whole compares all rows.
func (s *since) whole(ctx context.Context, told Progress) (err error) {
	now := time.Now()
	if !s.made || s.altered() {
		err = s.snapshot(ctx, told)
	} else {
		err = s.merge(ctx, told)
	}
	if err != nil {
		return err
	}
	pos := &position{Part: s.old, Rows: s.result.Rows, KeysAt: now, WholeAt: now}
	if pos.Mark, err = s.mark(ctx, quote(StateSchema, s.old)); err != nil {
		return err
	}
	return s.remember(ctx, pos)
}

// mark is the greatest time in a table. Times that are yet to come must not hide those until then.
func (s *since) mark(ctx context.Context, table string) (mark string, err error) {
	latest := quote(s.target.Latest)
	err = s.tx.QueryRow(ctx, "SELECT coalesce((CASE WHEN m > now() + interval '1 day' THEN (now() - interval '1 day')::"+s.typing+
		" ELSE m END)::text, '') FROM (SELECT max("+latest+")::"+s.typing+" AS m FROM "+table+" WHERE isfinite("+latest+")) t").Scan(&mark)
	return mark, err
}

// keys deletes the rows whose keys are gone, and tells whether there are keys that the target lacks though the rows that have
// them aren't new.
func (s *since) keys(ctx context.Context, told Progress) (lacks bool, err error) {
	names, part := quoteAll(s.target.PrimaryKey), quote(StateSchema, s.old)
	const kept = "pg_temp.kept"
	if err := s.exec(ctx, "CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT "+names+", false AS _fresh FROM "+part+" WHERE false"); err != nil {
		return false, err
	}
	pos, err := s.recall(ctx)
	if err != nil || pos == nil {
		return false, err
	}
	read := func(ctx context.Context, w io.Writer) error {
		return s.src.copyQuery(ctx, w, "SELECT "+names+", coalesce("+s.window(pos.Mark)+", false) FROM "+quote(s.src.schema, s.src.table))
	}
	if _, err := s.pour(ctx, kept, names+", _fresh", read, told); err != nil {
		return false, err
	}
	if err := s.exec(ctx, "ANALYZE "+kept); err != nil {
		return false, err
	}
	same := s.same("k")
	tag, err := s.tx.Exec(ctx, "DELETE FROM "+part+" p WHERE NOT EXISTS (SELECT FROM "+kept+" k WHERE "+same+")")
	if err != nil {
		return false, err
	}
	s.result.Deleted += tag.RowsAffected()
	err = s.tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+kept+" k WHERE NOT _fresh AND NOT EXISTS (SELECT FROM "+part+" p WHERE "+same+"))").Scan(&lacks)
	return lacks, err
}

// window are the rows at the source that may have changed.
func (s *since) window(mark string) string {
	latest := quote(s.target.Latest)
	return fmt.Sprintf("%s >= %s::%s - interval '%d seconds' OR %s IS NULL", latest, literal(mark), s.typing, int64(s.pace.Overlap.Seconds()), latest)
}

// changed takes over the rows that may have changed.
func (s *since) changed(ctx context.Context, mark string, told Progress) error {
	read := func(ctx context.Context, w io.Writer) error {
		return s.src.copyQuery(ctx, w, "SELECT "+s.list("")+" FROM "+quote(s.src.schema, s.src.table)+" WHERE "+s.window(mark))
	}
	if err := s.stage(ctx, read, told); err != nil {
		return err
	}
	return s.upsert(ctx)
}
