package connector

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// claims are those of a token that matter here.
type claims struct {
	App    string `json:"irisAppId"`
	Scope  any    `json:"scope"`
	Scopes any    `json:"scp"`
}

// appOf tells which app calls.
func appOf(call *endpoint.Call) (string, error) {
	var c claims
	if call.Claims != "" {
		if err := json.Unmarshal([]byte(call.Claims), &c); err != nil {
			return "", unauthorized("Token does not contain App Id").WithCause(err)
		}
	}
	if scopes := append(texts(c.Scope), texts(c.Scopes)...); !slices.Contains(scopes, Scope) && !slices.Contains(scopes, "all-apis") {
		return "", fault.New(fault.Denied, "", "Access Denied").WithHint("The token needs the scope " + Scope + ".")
	}
	if c.App == "" {
		return "", unauthorized("Token does not contain App Id")
	}
	if len(c.App) > 255 || strings.ContainsAny(c.App, "/\\\x00") || c.App == "." || c.App == ".." {
		return "", unauthorized("Token does not contain App Id")
	}
	return c.App, nil
}

func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		var out []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// slots limit how much each app may do at a time.
type slots struct {
	most int

	mu    sync.Mutex
	taken map[string]int
}

func newSlots(most int) *slots { return &slots{most: most, taken: map[string]int{}} }

func (s *slots) take(app string) (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[app] >= s.most {
		return nil, fault.New(fault.TooMany, "", "The app has too many requests at a time").WithHeader("Retry-After", "1")
	}
	s.taken[app]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.taken[app]--; s.taken[app] == 0 {
			delete(s.taken, app)
		}
	}, nil
}
