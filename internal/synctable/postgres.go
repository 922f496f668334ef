package synctable

import (
	"context"
	"errors"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Postgres is a table, or a view, of a PostgreSQL database.
type Postgres struct {
	conn          *pgx.Conn
	schema, table string
	stored        bool   // whether it must be a table of which the rows are stored
	repeatable    bool   // whether all that is read must be of one state
	snapshot      string // of another transaction, which is to be read; empty for what there is
	columns       []Column
}

// NewPostgres makes a source of a table, or of a view. It takes over the connection.
func NewPostgres(conn *pgx.Conn, schema, table string) *Postgres {
	return &Postgres{conn: conn, schema: schema, table: table}
}

// NewStored makes a source of a table whose rows are stored, and of no view: reading one runs functions of whoever made it
// with the rights of the connection's role. It takes over the connection.
func NewStored(conn *pgx.Conn, schema, table string) *Postgres {
	return &Postgres{conn: conn, schema: schema, table: table, stored: true}
}

// Columns implements Source.
func (p *Postgres) Columns(ctx context.Context) ([]Column, error) {
	if err := p.hold(ctx); err != nil {
		return nil, err
	}
	const query = `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
		FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid JOIN pg_namespace n ON n.oid = t.relnamespace
		WHERE n.nspname = $1 AND t.relname = $2 AND (t.relkind IN ('r', 'p') OR NOT $3 AND t.relkind IN ('v', 'm', 'f')) AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY a.attnum`
	rows, err := p.conn.Query(ctx, query, p.schema, p.table, p.stored)
	if err != nil {
		return nil, err
	}
	if p.columns, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Column]); err != nil {
		return nil, err
	}
	if len(p.columns) == 0 {
		return nil, Missing(p.schema, p.table)
	}
	return p.columns, nil
}

// hold begins a transaction that can't write. In it a stored table stays the one that it is: what is found out of it after the
// lock is true of what is read.
func (p *Postgres) hold(ctx context.Context) error {
	begin := "BEGIN READ ONLY"
	switch {
	case p.repeatable:
		begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	case p.snapshot != "":
		begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT " + literal(p.snapshot)
	}
	const form = "; SET LOCAL datestyle = ISO; SET LOCAL intervalstyle = postgres; SET LOCAL extra_float_digits = 3"
	if _, err := p.conn.PgConn().Exec(ctx, begin+form).ReadAll(); err != nil {
		return err
	}
	if !p.stored {
		return nil
	}
	return p.lock(ctx)
}

// lock keeps the table as it is until the transaction ends. Its rows may change.
func (p *Postgres) lock(ctx context.Context) error {
	_, err := p.conn.Exec(ctx, "LOCK TABLE ONLY "+quote(p.schema, p.table)+" IN ACCESS SHARE MODE")
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && (pgErr.Code == "42P01" || pgErr.Code == "3F000") {
		return Missing(p.schema, p.table)
	}
	return err
}

// Copy implements Source. Rows that a policy would hide are an error, not a hole in the copy.
func (p *Postgres) Copy(ctx context.Context, w io.Writer) error {
	names := make([]string, len(p.columns))
	for i, c := range p.columns {
		names[i] = c.Name
	}
	return p.copyQuery(ctx, w, "SELECT "+quoteAll(names)+" FROM "+quote(p.schema, p.table))
}

// copyQuery writes what a query returns.
func (p *Postgres) copyQuery(ctx context.Context, w io.Writer, query string) error {
	if _, err := p.conn.Exec(ctx, "SET row_security = off"); err != nil {
		return err
	}
	_, err := p.conn.PgConn().CopyTo(ctx, w, "COPY ("+query+") TO STDOUT")
	return err
}

// Format implements Source.
func (*Postgres) Format() string { return "FORMAT text" }

// Close implements Source.
func (p *Postgres) Close() { _ = p.conn.Close(context.Background()) }
