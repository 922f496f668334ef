package synctable

import (
	"context"
	"io"

	"github.com/jackc/pgx/v5"
)

// Postgres is a table, or a view, of a PostgreSQL database.
type Postgres struct {
	conn          *pgx.Conn
	schema, table string
	columns       []Column
}

// NewPostgres makes a source of a table. It takes over the connection.
func NewPostgres(conn *pgx.Conn, schema, table string) *Postgres {
	return &Postgres{conn: conn, schema: schema, table: table}
}

// Columns implements Source.
func (p *Postgres) Columns(ctx context.Context) ([]Column, error) {
	const query = `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
		FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid JOIN pg_namespace n ON n.oid = t.relnamespace
		WHERE n.nspname = $1 AND t.relname = $2 AND t.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY a.attnum`
	rows, err := p.conn.Query(ctx, query, p.schema, p.table)
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

// Copy implements Source. Rows that a policy would hide are an error, not a hole in the copy.
func (p *Postgres) Copy(ctx context.Context, w io.Writer) error {
	if _, err := p.conn.Exec(ctx, "SET row_security = off"); err != nil {
		return err
	}
	names := make([]string, len(p.columns))
	for i, c := range p.columns {
		names[i] = c.Name
	}
	_, err := p.conn.PgConn().CopyTo(ctx, w, "COPY (SELECT "+quoteAll(names)+" FROM "+quote(p.schema, p.table)+") TO STDOUT")
	return err
}

// Format implements Source.
func (*Postgres) Format() string { return "FORMAT text" }

// Close implements Source.
func (p *Postgres) Close() { _ = p.conn.Close(context.Background()) }
