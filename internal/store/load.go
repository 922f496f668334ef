package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Reasons why a dump isn't loaded.
var (
	ErrInUse       = errors.New("Tarn is running on this state")                     //nolint:staticcheck // it is a name
	ErrNotEmpty    = errors.New("there is a state already")                          // and nobody said to replace it
	ErrOtherSchema = errors.New("the backup is of another version of the state")     // than this program's
	ErrOtherFormat = errors.New("the backup is of a format that isn't known here")   // but may be to a later version
	ErrInterrupted = errors.New("a restore of this state was interrupted")           // and must be done again
	errWrongCount  = errors.New("the backup is damaged: it lacks rows of the table") // or has too many
)

// aside is where the state is that is being replaced.
const aside = "tarn_before_restore"

// Load makes a state of a dump, in place of the one that there is if that is to be replaced. If it fails, all is as before.
func Load(ctx context.Context, opt Options, m *Manifest, replace bool, open func(table string) (io.ReadCloser, error)) (err error) {
	if m.Format != dumpFormat {
		return ErrOtherFormat
	}
	cfg, err := pgx.ParseConfig(opt.URL)
	if err != nil {
		return fmt.Errorf("connection string of the state: %w", err)
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if err := setAside(ctx, conn, opt.AppName, replace); err != nil {
		return err
	}
	if err := loadInto(ctx, opt, m, open); err != nil {
		return errors.Join(err, putBack(context.WithoutCancel(ctx), conn))
	}
	_, err = conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+aside+" CASCADE")
	return err
}

// setAside gives a state that is to be replaced another name.
func setAside(ctx context.Context, conn *pgx.Conn, appName string, replace bool) error {
	var used, there, interrupted bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()),
		EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('tarn')), to_regnamespace($2) IS NOT NULL`, appName, aside).
		Scan(&used, &there, &interrupted)
	switch {
	case err != nil:
		return err
	case used:
		return ErrInUse
	case (there || interrupted) && !replace:
		return ErrNotEmpty
	}
	if interrupted { // the state is the one aside; what has its name may not be whole
		_, err = conn.Exec(ctx, "DROP SCHEMA IF EXISTS tarn CASCADE")
		return err
	}
	if there {
		_, err = conn.Exec(ctx, "ALTER SCHEMA tarn RENAME TO "+aside)
	}
	return err
}

// checkWhole refuses a state that is being replaced.
func (d *DB) checkWhole(ctx context.Context) error {
	var interrupted bool
	err := d.pool.QueryRow(ctx, "SELECT to_regnamespace($1) IS NOT NULL", aside).Scan(&interrupted)
	if err == nil && interrupted && !d.opt.restoring {
		err = ErrInterrupted
	}
	return err
}

func putBack(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "DROP SCHEMA IF EXISTS tarn CASCADE")
	if err != nil {
		return err
	}
	var there bool
	if err := conn.QueryRow(ctx, "SELECT to_regnamespace($1) IS NOT NULL", aside).Scan(&there); err != nil || !there {
		return err
	}
	_, err = conn.Exec(ctx, "ALTER SCHEMA "+aside+" RENAME TO tarn")
	return err
}

func loadInto(ctx context.Context, opt Options, m *Manifest, open func(table string) (io.ReadCloser, error)) error {
	opt.restoring = true
	db, err := Open(ctx, opt)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.inTx(ctx, func(tx pgx.Tx) error {
		own, err := applied(ctx, tx)
		if err != nil {
			return err
		}
		if !slices.Equal(own, m.Migrations) {
			return ErrOtherSchema
		}
		return m.load(ctx, tx, open)
	})
}

// load fills the tables, which have what migrations put there. Triggers would do what was done when the rows were first
// written; foreign keys are checked.
func (m *Manifest) load(ctx context.Context, tx pgx.Tx, open func(table string) (io.ReadCloser, error)) error {
	if err := triggers(ctx, tx, "DISABLE"); err != nil {
		return err
	}
	for i := range slices.Backward(m.Tables) {
		if _, err := tx.Exec(ctx, "TRUNCATE "+m.Tables[i].name()+" CASCADE"); err != nil {
			return err
		}
	}
	for _, day := range m.AuditDays {
		if _, err := tx.Exec(ctx, "SELECT audit_add_segment($1::text::date)", day); err != nil {
			return err
		}
	}
	for i := range m.Tables {
		if err := loadTable(ctx, tx, &m.Tables[i], open); err != nil {
			return fmt.Errorf("table %s: %w", m.Tables[i].Name, err)
		}
	}
	for _, s := range m.Sequences {
		if _, err := tx.Exec(ctx, "SELECT setval($1::text::regclass, $2, $3)", pgx.Identifier{"tarn", s.Name}.Sanitize(), s.Last, s.Called); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE"); err != nil {
		return err
	}
	return triggers(ctx, tx, "ENABLE")
}

func triggers(ctx context.Context, tx pgx.Tx, verb string) error {
	rows, err := tx.Query(ctx, "SELECT relname FROM pg_class WHERE relnamespace = 'tarn'::regnamespace AND relkind IN ('r', 'p')")
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := tx.Exec(ctx, "ALTER TABLE "+pgx.Identifier{"tarn", name}.Sanitize()+" "+verb+" TRIGGER USER"); err != nil {
			return err
		}
	}
	return nil
}

func loadTable(ctx context.Context, tx pgx.Tx, t *DumpTable, open func(table string) (io.ReadCloser, error)) (err error) {
	in, err := open(t.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	tag, err := tx.Conn().PgConn().CopyFrom(ctx, in, "COPY "+t.name()+" ("+t.columns()+") FROM STDIN")
	if err == nil && tag.RowsAffected() != t.Rows {
		err = errWrongCount
	}
	return err
}
