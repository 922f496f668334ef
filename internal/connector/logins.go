package connector

import (
	"context"
	"sync"
	"time"

	"github.com/tarn-data/tarn/internal/vault"
)

// logins remembers which login the credentials of a place in the vault are, so that they needn't be read and opened for
// each request. It has no secret, only the digest of one.
type logins struct {
	now func() time.Time

	mu    sync.Mutex
	known map[key]login
}

type login struct {
	key   key
	epoch uint64
	until time.Time
}

func newLogins(now func() time.Time) *logins { return &logins{now: now, known: map[key]login{}} }

func (l *logins) get(from key, epoch uint64) (key, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, ok := l.known[from]
	return known.key, ok && known.epoch == epoch && l.now().Before(known.until)
}

func (l *logins) put(from, as key, epoch uint64, life time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.known) >= maxItems {
		for other := range l.known { // whichever comes first
			delete(l.known, other)
			break
		}
	}
	l.known[from] = login{as, epoch, l.now().Add(life)}
}

// login returns a token of the workspace, and what tells the login apart. The vault is read if there is no token that its
// credentials, as they are now, have brought already.
func (c *Connector) login(ctx context.Context, q query) (as key, token vault.Secret, err error) {
	epoch, life := c.opt.Vault.Epoch()
	from, stored := key{}, q.credentials.direct == nil
	if stored {
		from = keyOf(q.workspace, q.app, q.credentials.account, q.credentials.id, q.credentials.secret)
		if as, ok := c.logins.get(from, epoch); ok {
			if token, ok := c.tokens.kept(as); ok {
				return as, token, nil
			}
		}
	}
	cred, err := c.credentials(ctx, q)
	if err != nil {
		return as, "", err
	}
	as = loginKey(q.workspace, cred)
	if token, err = c.tokens.get(ctx, as, q.workspace, cred); err != nil {
		return as, "", tokenFault(err)
	}
	if stored {
		c.logins.put(from, as, epoch, life)
	}
	return as, token, nil
}
