package connector

import (
	"context"
	"time"

	"github.com/tarn-data/tarn/internal/vault"
	"github.com/tarn-data/tarn/internal/workspace"
)

// tokens keeps the tokens of service principals until shortly before they end.
type tokens struct {
	client *workspace.Client
	cache  *cache[vault.Secret]
}

const (
	early        = time.Minute     // before its end a token isn't used any more
	unknownToken = 5 * time.Minute // how long one is used that doesn't say how long it is good
	maxToken     = time.Hour
)

func newTokens(opt Options) *tokens {
	return &tokens{client: workspace.New(opt.HTTP, opt.Sleep), cache: newCache[vault.Secret](opt.Now)}
}

// loginKey tells logins apart.
func loginKey(base string, cred credentials) key {
	return keyOf(base, cred.ClientID, cred.Secret.Reveal())
}

func (t *tokens) get(ctx context.Context, as key, base string, cred credentials) (vault.Secret, error) {
	token, _, err := t.cache.get(ctx, as, func(ctx context.Context) (vault.Secret, time.Duration, error) {
		got, err := t.client.Token(ctx, base, cred)
		kept := unknownToken
		if got.ExpiresIn > 0 {
			kept = min(max(got.ExpiresIn-early, got.ExpiresIn/2), maxToken)
		}
		return got.Access, kept, err
	})
	return token, err
}

// kept is the token of a login that is good now.
func (t *tokens) kept(as key) (vault.Secret, bool) { return t.cache.kept(as) }

func (t *tokens) drop(as key) { t.cache.drop(as) }
