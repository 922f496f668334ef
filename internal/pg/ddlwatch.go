package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// watchSchema is Tarn's own, so that whoever owns the database can do with theirs as they like. It is no role's name, so
// that it is in nobody's search path.
const watchSchema = "CREATE SCHEMA IF NOT EXISTS tarn_watch"

// watchFunction notifies of changes to the schema. It runs as whoever changes it, so it asks for no rights.
const watchFunction = `
CREATE OR REPLACE FUNCTION tarn_watch.notify_ddl() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $body$
BEGIN
  IF tg_event = 'ddl_command_end' THEN
    IF NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands() c WHERE c.schema_name IS DISTINCT FROM 'pg_temp') THEN
      RETURN;
    END IF;
  ELSIF NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() d WHERE NOT d.is_temporary) THEN
    RETURN;
  END IF;
  PERFORM pg_notify('pgrst', 'reload schema');
END
$body$`

// WatchDDL has the database notify the channel pgrst of every change to its schema. Only a superuser can.
func WatchDDL(ctx context.Context, conn *pgx.Conn) error {
	var found int
	const installed = `SELECT count(*) FROM pg_event_trigger WHERE evtname IN ('tarn_ddl_end', 'tarn_ddl_drop')`
	if err := conn.QueryRow(ctx, installed).Scan(&found); err != nil {
		return fmt.Errorf("event triggers: %w", err)
	}
	if found == 2 {
		return nil
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, sql := range []string{
			// One of several processes makes the triggers; the others find them.
			"SELECT pg_advisory_xact_lock(hashtext('tarn_ddl'))",
			"DROP EVENT TRIGGER IF EXISTS tarn_ddl_end",
			"DROP EVENT TRIGGER IF EXISTS tarn_ddl_drop",
			watchSchema,
			watchFunction,
			"CREATE EVENT TRIGGER tarn_ddl_end ON ddl_command_end EXECUTE FUNCTION tarn_watch.notify_ddl()",
			"CREATE EVENT TRIGGER tarn_ddl_drop ON sql_drop EXECUTE FUNCTION tarn_watch.notify_ddl()",
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("event triggers: %w", err)
			}
		}
		return nil
	})
}
