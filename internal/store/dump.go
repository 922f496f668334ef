package store

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/audit"
)

// Manifest says what a dump of the state has.
type Manifest struct {
	Format     int            `json:"format"`
	Version    string         `json:"tarn_version"`
	Made       time.Time      `json:"made"`
	Workspace  int64          `json:"workspace_id,string"`
	Migrations []int64        `json:"migrations"`
	Tables     []DumpTable    `json:"tables"` // each after those that it refers to
	Sequences  []DumpSequence `json:"sequences"`
	Audit      audit.Head     `json:"audit_head"`
	AuditDays  []string       `json:"audit_days"` // that have a segment of the audit log
}

// DumpTable is a table with its rows.
type DumpTable struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
}

// DumpSequence is where a sequence stood.
type DumpSequence struct {
	Name   string `json:"name"`
	Last   int64  `json:"last"`
	Called bool   `json:"called"`
}

const dumpFormat = 1

// A partitioned table is dumped as one; what an unlogged table has is not meant to last.
const dumpedTables = `SELECT c.relname,
		array_agg(a.attname ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '') AS columns,
		ARRAY(SELECT r.relname FROM pg_constraint k JOIN pg_class r ON r.oid = k.confrelid
			WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid <> c.oid) AS needs
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	WHERE c.relnamespace = 'tarn'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
		AND c.relname <> 'migrations'
	GROUP BY c.oid, c.relname ORDER BY c.relname`

// Dump writes all tables as they are at one moment. For each it has a part opened that is written before the next.
func (d *DB) Dump(ctx context.Context, open func(table string) (io.Writer, error)) (*Manifest, error) {
	m := &Manifest{Format: dumpFormat}
	opt := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, d.pool, opt, func(tx pgx.Tx) error {
		if err := m.describe(ctx, tx); err != nil {
			return err
		}
		for i := range m.Tables {
			t := &m.Tables[i]
			w, err := open(t.Name)
			if err != nil {
				return err
			}
			tag, err := tx.Conn().PgConn().CopyTo(ctx, w, "COPY (SELECT "+t.columns()+" FROM "+t.name()+") TO STDOUT")
			if err != nil {
				return fmt.Errorf("table %s: %w", t.Name, err)
			}
			t.Rows = tag.RowsAffected()
		}
		var err error
		m.Sequences, err = sequences(ctx, tx)
		return err
	})
	return m, err
}

func (t *DumpTable) name() string { return pgx.Identifier{"tarn", t.Name}.Sanitize() }

func (t *DumpTable) columns() string {
	quoted := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		quoted[i] = pgx.Identifier{c}.Sanitize()
	}
	return strings.Join(quoted, ", ")
}

func (m *Manifest) describe(ctx context.Context, tx pgx.Tx) error {
	var hash []byte
	err := tx.QueryRow(ctx, `SELECT now(), (SELECT id FROM workspace), seq, hash,
			ARRAY(SELECT DISTINCT to_char(day, 'YYYY-MM-DD') FROM audit_log ORDER BY 1)
		FROM audit_head`).Scan(&m.Made, &m.Workspace, &m.Audit.Sequence, &hash, &m.AuditDays)
	if err != nil {
		return err
	}
	copy(m.Audit.Hash[:], hash)
	if m.Migrations, err = applied(ctx, tx); err != nil {
		return err
	}
	m.Tables, err = tables(ctx, tx)
	return err
}

// applied are the versions of the schema's migrations.
func applied(ctx context.Context, tx pgx.Tx) ([]int64, error) {
	rows, err := tx.Query(ctx, "SELECT DISTINCT version_id FROM migrations WHERE is_applied AND version_id > 0 ORDER BY 1")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// tables are all tables, each after those that it refers to.
func tables(ctx context.Context, tx pgx.Tx) ([]DumpTable, error) {
	type found struct {
		Name    string
		Columns []string
		Needs   []string
	}
	rows, err := tx.Query(ctx, dumpedTables)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[found])
	if err != nil {
		return nil, err
	}
	var out []DumpTable
	placed := map[string]bool{}
	ready := func(f found) bool {
		for _, n := range f.Needs {
			if !placed[n] {
				return false
			}
		}
		return !placed[f.Name]
	}
	for len(out) < len(all) {
		before := len(out)
		for _, f := range all {
			if ready(f) {
				placed[f.Name] = true
				out = append(out, DumpTable{Name: f.Name, Columns: f.Columns})
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("tables refer to each other in a circle; %d of %d can be put in order", len(out), len(all))
		}
	}
	return out, nil
}

func sequences(ctx context.Context, tx pgx.Tx) ([]DumpSequence, error) {
	rows, err := tx.Query(ctx, `SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'tarn'::regnamespace AND c.relkind = 'S'
		AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid WHERE d.objid = c.oid AND t.relname = 'migrations')
		ORDER BY c.relname`)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	out := make([]DumpSequence, len(names))
	for i, name := range names {
		out[i].Name = name
		err := tx.QueryRow(ctx, "SELECT last_value, is_called FROM "+pgx.Identifier{"tarn", name}.Sanitize()).Scan(&out[i].Last, &out[i].Called)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
