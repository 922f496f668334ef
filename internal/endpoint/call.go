package endpoint

import (
	"context"
	"net/netip"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
)

// Call is one request on its way through the gateway, which fills it in from the top to the bottom. The audit record is
// made of it.
type Call struct {
	ID        string // of the request
	Start     time.Time
	Source    netip.Addr // of the client, as far as it can be trusted
	UserAgent string
	Host      string // that the client asked
	Route     *Route
	Account   *auth.Account // nil for who isn't known
	Scopes    []string      // of the token; nil for all
	Claims    string        // of a signed token, as JSON; empty if there are none
	TokenID   string        // which credential it was; never its secret

	Params    map[string]any // the input, with secrets removed
	Securable string         // what was acted on
	Status    int
	Err       error // nil if all went well
	Latency   time.Duration
}

type contextKey struct{}

// NewContext returns a context that carries a call.
func NewContext(ctx context.Context, c *Call) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// CallFrom returns the call that the context carries. Outside of a call it is an empty one.
func CallFrom(ctx context.Context) *Call {
	if c, ok := ctx.Value(contextKey{}).(*Call); ok {
		return c
	}
	return &Call{Route: &Route{}}
}

// Caller returns who makes the call that the context carries.
func Caller(ctx context.Context) *auth.Account {
	if a := CallFrom(ctx).Account; a != nil {
		return a
	}
	return &auth.Account{}
}
