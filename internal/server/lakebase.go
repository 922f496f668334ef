package server

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi"
	"github.com/tarn-data/tarn/internal/fault"
)

// lakebasePath is where the Lakebase Data API is: …/{workspace_id}/rest/{database}/{schema}/{relation}.
const lakebasePath = "/api/2.0/workspace/"

// lakebaseTarget is what a path of the Lakebase Data API names.
type lakebaseTarget struct {
	database string
	mount    dataapi.Mount
}

// parseLakebase reads a path as it was sent, since names may have escaped slashes.
func parseLakebase(escaped string) (lakebaseTarget, bool) {
	rest, ok := strings.CutPrefix(escaped, lakebasePath)
	if !ok {
		return lakebaseTarget{}, false
	}
	part := strings.SplitN(rest, "/", 5)
	if len(part) < 4 || part[1] != "rest" || !isNumber(part[0]) {
		return lakebaseTarget{}, false
	}
	database, err := url.PathUnescape(part[2])
	if err != nil || database == "" {
		return lakebaseTarget{}, false
	}
	schema, err := url.PathUnescape(part[3])
	if err != nil || schema == "" {
		return lakebaseTarget{}, false
	}
	target := lakebaseTarget{database: database, mount: dataapi.Mount{
		Base: lakebasePath + strings.Join(part[:4], "/"), Path: "/", Schema: schema,
	}}
	if len(part) == 5 {
		path, err := url.PathUnescape(part[4])
		if err != nil {
			return lakebaseTarget{}, false
		}
		target.mount.Path += path
	}
	return target, true
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// lakebase serves the Lakebase Data API.
func (d *Databases) lakebase(w http.ResponseWriter, r *http.Request) {
	target, ok := parseLakebase(r.URL.EscapedPath())
	if !ok {
		dataapi.WriteError(w, fault.New(fault.NotFound, "PGRST125", "Invalid path specified in request URL").
			WithHint("The path is "+lakebasePath+"{workspace_id}/rest/{database}/{schema}/{relation}, with a number for the workspace."))
		return
	}
	target.mount.Origin = origin(r)
	engine := d.opened(target.database)
	if engine == nil {
		// Whoever isn't known must not learn which databases there are.
		if _, err := d.Auth.Authenticate(r.Header); err != nil {
			dataapi.WriteError(w, err)
			return
		}
		var err error
		if engine, err = d.Engine(r.Context(), target.database); err != nil {
			f := fault.From(err)
			if f.Cause != nil {
				d.Log.Warn("could not open a database", "database", target.database, "error", f.Cause)
			}
			dataapi.WriteError(w, f)
			return
		}
	}
	engine.Serve(w, r, target.mount)
}

// opened returns the engine of a database that is open already; else nil.
func (d *Databases) opened(name string) *dataapi.Engine {
	d.mu.Lock()
	db := d.open[name]
	d.mu.Unlock()
	if db == nil {
		return nil
	}
	select {
	case <-db.ready:
		return db.engine
	default:
		return nil
	}
}

// origin is the scheme and host that a client asked, maybe a proxy.
func origin(r *http.Request) string {
	if r.URL.Scheme == "https" || r.URL.Scheme == "" && r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
