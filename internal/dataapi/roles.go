package dataapi

import (
	"context"
	"time"

	"github.com/tarn-data/tarn/internal/fault"
)

// checkRole refuses roles that must not be acted as: whoever may become one of them could do anything to the database.
func (e *Engine) checkRole(st *state, role string) error {
	if !e.opt.RefuseElevated || !st.cache.Roles[role].Elevated {
		return nil
	}
	return fault.New(fault.Denied, "42501", `permission denied to grant role "`+role+`"`).
		WithDetails(`Only roles with the ADMIN option on role "` + role + `" may grant this role.`).
		WithHint("Use a role without elevated privileges: not the database's owner, and none that can create roles or databases.")
}

// refresh has the snapshot loaded anew for a request that found it stale, and waits for that. Where that happened only
// just now it isn't done again: then the snapshot is not to blame.
func (e *Engine) refresh(ctx context.Context, seen *state) bool {
	if e.state.Load().cache != seen.cache {
		return true
	}
	if !e.requestRefresh() {
		return false
	}
	t := time.NewTicker(2 * time.Millisecond)
	defer t.Stop()
	deadline := time.NewTimer(refreshWait)
	defer deadline.Stop()
	for e.state.Load().cache == seen.cache {
		select {
		case <-ctx.Done():
			return false
		case <-deadline.C:
			return false
		case <-t.C:
		}
	}
	return true
}

// requestRefresh has the snapshot loaded anew, unless that happened only just now.
func (e *Engine) requestRefresh() bool {
	pause := max(refreshPause, refreshShare*time.Duration(e.Stats.LoadDuration.Load()))
	if time.Since(time.Unix(0, e.lastRefresh.Load())) < pause {
		return false
	}
	e.lastRefresh.Store(time.Now().UnixNano())
	e.request(reloadSchema)
	return true
}
