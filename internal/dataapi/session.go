package dataapi

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/dataapi/exec"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// fixedSettings are the parts of a session that the configuration alone decides.
type fixedSettings struct {
	searchPath map[string]string // by the request's schema
	app        []schema.Setting
	preRequest string
}

func newFixedSettings(cfg *config.DataAPI) fixedSettings {
	f := fixedSettings{searchPath: make(map[string]string, len(cfg.Schemas))}
	for _, s := range cfg.Schemas {
		path := []string{sqlgen.QuoteIdent(s)}
		for _, extra := range cfg.ExtraSearchPath {
			path = append(path, sqlgen.QuoteIdent(extra))
		}
		f.searchPath[s] = strings.Join(path, ", ")
	}
	for _, s := range cfg.AppSettings {
		f.app = append(f.app, schema.Setting(s))
	}
	if cfg.PreRequest != "" {
		f.preRequest = sqlgen.QuoteQualified(qualified(cfg.PreRequest))
	}
	return f
}

// qualified splits schema.name.
func qualified(s string) schema.Ident {
	if before, after, ok := strings.Cut(s, "."); ok {
		return schema.Ident{Schema: before, Name: after}
	}
	return schema.Ident{Name: s}
}

// session is what holds while the request's transaction runs.
func (v *visit) session(req *request.Request, p plan.Plan) exec.Session {
	s := v.state.session(v.caller, req, p, v.asked)
	if v.state.cfg.LogQuery {
		s.Sent = func(sql string) { v.sent = append(v.sent, sql) }
	}
	return s
}

// session is what holds while the request's transaction runs. The role's own settings come before the role is taken
// on, since the login role may be granted what the role is not.
func (st *state) session(caller *auth.Principal, req *request.Request, p plan.Plan, asked *http.Request) exec.Session {
	role := st.cache.Roles[caller.Role]
	kind := sessionKind{timezone: req.Prefer.Timezone != ""}
	if len(role.Settings) > 0 {
		kind.role = caller.Role
	}
	var routine []schema.Setting
	if call, ok := p.(*plan.Call); ok && len(call.Routine.Settings) > 0 {
		kind.routine, routine = call.Routine, call.Routine.Settings
	}
	values := make([]string, 0, 3+len(role.Settings))
	values = append(values, st.fixed.searchPath[req.Schema])
	values = appendValues(values, role.Settings)
	values = append(values, caller.Role)
	if kind.timezone {
		values = append(values, req.Prefer.Timezone)
	}
	others := func(values []string) []string {
		values = slices.Grow(values, 5+len(routine)+len(st.fixed.app))
		values = append(values, caller.Claims, req.Method, req.URI, request.HeadersObject(asked.Header, asked.Host), request.CookiesObject(asked.Header))
		return appendValues(appendValues(values, routine), st.fixed.app)
	}
	return exec.Session{
		Role: caller.Role, Isolation: role.Isolation, Settings: st.settings.of(kind, role.Settings, st.fixed.app), Values: values, Others: others,
		PreRequest: st.fixed.preRequest, Quiet: st.fixed.preRequest == "" && !speaks(role.Settings) && !speaks(routine) && !speaks(st.fixed.app),
	}
}

// speaks tells whether settings are of the response.
func speaks(settings []schema.Setting) bool {
	return slices.ContainsFunc(settings, func(s schema.Setting) bool { return strings.HasPrefix(s.Name, "response.") })
}

func appendValues(values []string, settings []schema.Setting) []string {
	for _, s := range settings {
		values = append(values, s.Value)
	}
	return values
}

// sessionKind is what the names of a session's settings depend on.
type sessionKind struct {
	role     string          // empty for one without settings of its own
	routine  *schema.Routine // likewise
	timezone bool
}

// settingsTexts keeps the statements that set the settings, by the kind of session.
type settingsTexts struct {
	mu     sync.RWMutex
	byKind map[sessionKind]*exec.Settings
}

// of finds the statement of a kind of session, or makes it. Its settings are in the order of session's values.
func (t *settingsTexts) of(kind sessionKind, role, app []schema.Setting) *exec.Settings {
	t.mu.RLock()
	s, ok := t.byKind[kind]
	t.mu.RUnlock()
	if ok {
		return s
	}
	names := []string{"search_path"}
	names = appendNames(names, role)
	names = append(names, exec.SetRole)
	if kind.timezone {
		names = append(names, "timezone")
	}
	few := len(names)
	names = append(names, "request.jwt.claims", "request.method", "request.path", "request.headers", "request.cookies")
	if kind.routine != nil {
		names = appendNames(names, kind.routine.Settings)
	}
	s = exec.NewSettings(appendNames(names, app), few)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byKind == nil || len(t.byKind) >= maxSessionKinds {
		t.byKind = map[sessionKind]*exec.Settings{}
	}
	t.byKind[kind] = s
	return s
}

// maxSessionKinds bounds what is kept where many routines and roles have settings.
const maxSessionKinds = 1000

func appendNames(names []string, settings []schema.Setting) []string {
	for _, s := range settings {
		names = append(names, s.Name)
	}
	return names
}
