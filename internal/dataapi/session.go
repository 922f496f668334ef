package dataapi

import (
	"encoding/json"
	"strings"

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
	s := v.state.session(v.caller, req, p)
	if v.state.cfg.LogQuery {
		s.Sent = func(sql string) { v.sent = append(v.sent, sql) }
	}
	return s
}

// session is what holds while the request's transaction runs. The role's own settings come before the role is taken
// on, since the login role may be granted what the role is not.
func (st *state) session(caller *auth.Principal, req *request.Request, p plan.Plan) exec.Session {
	role := st.cache.Roles[caller.Role]
	set := make([]schema.Setting, 0, 12+len(role.Settings)+len(st.fixed.app))
	add := func(name, value string) { set = append(set, schema.Setting{Name: name, Value: value}) }
	add("search_path", st.fixed.searchPath[req.Schema])
	set = append(set, role.Settings...)
	add(exec.SetRole, caller.Role)
	add("request.jwt.claims", caller.Claims)
	add("request.method", req.Method)
	add("request.path", req.URI)
	add("request.headers", headersJSON(req.Headers))
	add("request.cookies", headersJSON(req.Cookies))
	if req.Prefer.Timezone != "" {
		add("timezone", req.Prefer.Timezone)
	}
	if call, ok := p.(*plan.Call); ok {
		set = append(set, call.Routine.Settings...)
	}
	set = append(set, st.fixed.app...)
	return exec.Session{
		Role: caller.Role, Isolation: role.Isolation, Settings: set, PreRequest: st.fixed.preRequest,
	}
}

// headersJSON is an object of names and values. Of several values of one name the last counts.
func headersJSON(headers []request.Header) string {
	if len(headers) == 0 {
		return "{}"
	}
	object := make(map[string]string, len(headers))
	for _, h := range headers {
		object[h.Name] = strings.ToValidUTF8(h.Value, "\uFFFD")
	}
	out, err := json.Marshal(object)
	if err != nil { // strings always encode
		return "{}"
	}
	return string(out)
}
