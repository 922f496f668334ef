package synctable

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// position is how far a target has come. It is kept beside the rows, and changed in the transactions that change them: so it
// is true of them whatever happens.
type position struct {
	Part string `json:"part"` // the partition that it is true of
	Rows int64  `json:"rows"`

	// Of a replica.
	Slot  string `json:"slot,omitempty"`
	LSN   lsn    `json:"lsn,omitempty"`   // all transactions that end before it are in the target
	Shape string `json:"shape,omitempty"` // of the source when it was copied
	Wire  string `json:"wire,omitempty"`  // its columns as the log tells of them

	// Of a target that follows a column that grows.
	Mark    string    `json:"mark,omitempty"`    // the column's greatest value
	KeysAt  time.Time `json:"keys_at,omitzero"`  // when the keys were compared
	WholeAt time.Time `json:"whole_at,omitzero"` // when all rows were
}

const positions = StateSchema + ".positions"

// recall reads a target's position; nil if it has none, or one of other rows than it has.
func (c *copying) recall(ctx context.Context) (*position, error) {
	var there bool
	if err := c.tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", positions).Scan(&there); err != nil || !there {
		return nil, err
	}
	var (
		p    position
		text string
	)
	err := c.tx.QueryRow(ctx, "SELECT state::text FROM "+positions+" WHERE id = $1", c.target.ID).Scan(&text)
	if err == nil {
		err = json.Unmarshal([]byte(text), &p)
	}
	if errors.Is(err, pgx.ErrNoRows) || err == nil && (!c.made || p.Part != c.old) {
		return nil, nil //nolint:nilnil // as said above
	}
	return &p, err
}

// remember writes down how far the target is.
func (c *copying) remember(ctx context.Context, p *position) error {
	const put = "INSERT INTO " + positions + " (id, state) VALUES ($1, $2::jsonb) ON CONFLICT (id) DO UPDATE SET state = EXCLUDED.state"
	var there bool
	if err := c.tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", positions).Scan(&there); err != nil {
		return err
	}
	if !there {
		err := c.exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('tarn_sync'), 0)",
			"CREATE TABLE IF NOT EXISTS "+positions+" (id bigint PRIMARY KEY, state jsonb NOT NULL)")
		if err != nil {
			return err
		}
	}
	text, err := json.Marshal(p)
	if err == nil {
		_, err = c.tx.Exec(ctx, put, c.target.ID, string(text))
	}
	return err
}

// forget makes the next sync begin anew.
func (c *copying) forget(ctx context.Context) error {
	var there bool
	if err := c.tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", positions).Scan(&there); err != nil || !there {
		return err
	}
	_, err := c.tx.Exec(ctx, "DELETE FROM "+positions+" WHERE id = $1", c.target.ID)
	return err
}
