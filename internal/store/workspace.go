package store

import "context"

// Workspace is what this installation is known as.
type Workspace struct {
	ID        int64
	AccountID string
}

// Workspace returns what this installation is known as. It never changes.
func (d *DB) Workspace(ctx context.Context) (Workspace, error) {
	var w Workspace
	err := d.pool.QueryRow(ctx, "SELECT id, account_id::text FROM workspace").Scan(&w.ID, &w.AccountID)
	return w, err
}
