package synctable

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Unfit is why a source can't tell of its changes. It can be compared all the same.
type Unfit struct{ Reason string }

func (u *Unfit) Error() string { return u.Reason }

// facts are what of a source decides whether its log can be followed.
type facts struct {
	Level     string // wal_level
	Standby   bool
	Kind      string
	Logged    bool
	Children  bool
	Generated bool
	Hidden    bool     // whether rows are hidden from the role
	Identity  string   // relreplident
	Key       []string // the columns by which the log tells rows apart
	Shape     string   // changes with all that changes rows without the log telling of it
	Wire      string   // the columns as the log tells of them
	Names     []string // theirs
	OID       uint32
	Published bool // whether the publication is there and has the table
	Partial   bool // whether it leaves something out
}

// factsSQL asks for facts. A column's row in the catalog gets another xmin when the column's values are made anew.
const factsSQL = `SELECT current_setting('wal_level'), pg_is_in_recovery(), t.relkind::text, t.relpersistence = 'p',
	EXISTS (SELECT FROM pg_inherits WHERE inhparent = t.oid),
	EXISTS (SELECT FROM pg_attribute WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped AND attgenerated <> ''),
	row_security_active(t.oid), t.relreplident::text,
	coalesce((SELECT array_agg(a.attname::text) FROM pg_index i CROSS JOIN unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) k
		JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k
		WHERE i.indrelid = t.oid AND CASE t.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END), '{}'),
	t.oid || t.relreplident::text || (SELECT md5(string_agg(concat_ws(' ', attnum, attname, atttypid, atttypmod, xmin), ';' ORDER BY attnum))
		FROM pg_attribute WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped),
	(SELECT string_agg(concat_ws(' ', attname, atttypid, atttypmod), ';' ORDER BY attnum)
		FROM pg_attribute WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped),
	(SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped), t.oid,
	EXISTS (SELECT FROM pg_publication p JOIN pg_publication_tables pt ON pt.pubname = p.pubname
		WHERE p.pubname = $3 AND pt.schemaname = $1 AND pt.tablename = $2 AND pubinsert AND pubupdate AND pubdelete AND pubtruncate),
	EXISTS (SELECT FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
		WHERE p.pubname = $3 AND r.prrelid = t.oid AND coalesce(to_jsonb(r) ->> 'prqual', to_jsonb(r) ->> 'prattrs') IS NOT NULL)
	FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname = $1 AND t.relname = $2`

// ask finds out the facts of the source.
func (p *Postgres) ask(ctx context.Context, publication string) (*facts, error) {
	rows, err := p.conn.Query(ctx, factsSQL, p.schema, p.table, publication)
	if err != nil {
		return nil, err
	}
	f, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[facts])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, Missing(p.schema, p.table)
	}
	return f, err
}

// fit tells whether the log can be followed, but for the rights that this takes.
func (f *facts) fit(t Target) error {
	key, named := slices.Sorted(slices.Values(f.Key)), slices.Sorted(slices.Values(t.PrimaryKey))
	switch {
	case f.Level != "logical":
		return &Unfit{"the source's server has wal_level=" + f.Level}
	case f.Standby:
		return &Unfit{"the source's server is a standby"}
	case f.Kind != "r" || f.Children:
		return &Unfit{"the source is no plain table"}
	case !f.Logged:
		return &Unfit{"the source table is unlogged"}
	case f.Generated:
		return &Unfit{"the source has generated columns"}
	case f.Hidden:
		return &Unfit{"the source has row-level security"}
	case f.Identity == "n" || len(key) == 0:
		return &Unfit{"the source has no primary key as its replica identity"}
	case !slices.Equal(key, named):
		return &Unfit{"the source's replica identity has other columns than the primary key that is named"}
	case f.Partial:
		return &Unfit{"the source's publication leaves something out"}
	}
	return nil
}

// unfit turns the errors of a server that doesn't let a role follow its log into an Unfit.
func unfit(err error) error {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	switch pgErr.Code {
	case "42501", "28000", "53300", "53400", "55000", "0A000": // no right, no place for a slot or its reader, not set up for it
		return &Unfit{"the source's server refuses: " + pgErr.Message}
	}
	return err
}
