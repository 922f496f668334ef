package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// What the gateway remembers of the state: topics of changes.
const (
	RateLimitsTopic    = "rate_limits"
	IPAccessTopic      = "ip_access"
	WorkspaceConfTopic = "workspace_conf"
)

// tell tells all processes of a change, when the transaction commits.
func tell(ctx context.Context, tx pgx.Tx, topic string) error {
	_, err := tx.Exec(ctx, "SELECT pg_notify($1, $2)", changesChannel, topic)
	return err
}
