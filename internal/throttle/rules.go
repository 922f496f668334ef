package throttle

import (
	"slices"
	"strings"

	"github.com/tarn-data/tarn/internal/ratelimit"
)

// Rule is a limit that an administrator set.
type Rule struct {
	Endpoint  string // service.action, service.* or *
	Principal string // empty for each
	Workspace bool   // the limit is of all callers together
	Limit     ratelimit.Limit
}

// rules are the rules in force: those that say more first.
type rules struct {
	list      []Rule
	workspace bool // whether there is a limit for all together
}

// SetRules has other rules enforced from now on.
func (l *Limiter) SetRules(list []Rule) {
	in := &rules{list: slices.Clone(list)}
	slices.SortStableFunc(in.list, func(a, b Rule) int { return b.weight() - a.weight() })
	in.workspace = slices.ContainsFunc(list, func(r Rule) bool { return r.Workspace })
	l.rules.Store(in)
}

// weight is how much a rule says: one for a principal goes before one for all, and then the more exact endpoint.
func (r Rule) weight() int {
	w := 0
	if r.Principal != "" {
		w += 4
	}
	switch {
	case r.Endpoint == "*":
	case strings.HasSuffix(r.Endpoint, ".*"):
		w++
	default:
		w += 2
	}
	return w
}

// limit is the limit of a bucket.
func (in *rules) limit(k key, fallback ratelimit.Limit) ratelimit.Limit {
	for _, r := range in.list {
		if r.Workspace == k.all && (r.Principal == "" || r.Principal == k.who) && Matches(r.Endpoint, k.route.Service, k.route.Action) {
			return r.Limit
		}
	}
	return fallback
}

// Matches tells whether a pattern is one of an endpoint.
func Matches(pattern, service, action string) bool {
	if pattern == "*" {
		return true
	}
	s, a, _ := strings.Cut(pattern, ".")
	return s == service && (a == "*" || a == action)
}
