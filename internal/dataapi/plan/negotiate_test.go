package plan_test

import (
	"testing"

	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

func TestNegotiate(t *testing.T) {
	const (
		object  = "application/vnd.pgrst.object+json"
		array   = "application/vnd.pgrst.array+json"
		planned = `application/vnd.pgrst.plan+json; for="text/csv"`
	)
	for _, c := range []struct {
		name, path, accept string
		kind               schema.HandlerKind
		media              string
	}{
		{"nothing", "/authors", "", schema.HandleJSON, "application/json"},
		{"anything", "/authors", "*/*", schema.HandleJSON, "application/json"},
		{"JSON", "/authors", "application/json", schema.HandleJSON, "application/json"},
		{"CSV", "/authors", "text/csv", schema.HandleCSV, "text/csv"},
		{"the better one", "/authors", "text/csv;q=0.5, application/json", schema.HandleJSON, "application/json"},
		{"the one that can be made", "/authors", "text/none, text/csv", schema.HandleCSV, "text/csv"},
		{"an object", "/authors", object, schema.HandleSingle, object},
		{"an object without nulls", "/authors", object + ";nulls=stripped", schema.HandleSingleStripped, object + ";nulls=stripped"},
		{"an array", "/authors", array, schema.HandleJSON, "application/json"},
		{"an array without nulls", "/authors", array + ";nulls=stripped", schema.HandleJSONStripped, array + ";nulls=stripped"},
		{"a relation's own", "/authors", "text/vcard", schema.HandleCustom, "text/vcard"},
		{"any relation's", "/books?select=id", "application/x-lines", schema.HandleCustom, "application/x-lines"},
		{"a plan", "/authors", planned, schema.HandleCSV, `application/vnd.pgrst.plan+json; for="text/csv"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := ask{target: "GET " + c.path}
			if c.accept != "" {
				a.headers = []string{"Accept", c.accept}
			}
			p := must[*plan.Read](t, a, allowed())
			if got := p.Media.String(); p.Handler.Kind != c.kind || got != c.media {
				t.Errorf("wanted %v and %s, got %v and %s", c.kind, c.media, p.Handler.Kind, got)
			}
		})
	}
}

func TestNegotiateRefuses(t *testing.T) {
	noPlans := allowed()
	noPlans.PlanEnabled = false
	for _, c := range []struct {
		name, path, accept string
		opt                plan.Options
	}{
		{"nobody's", "/authors", "text/none", allowed()},
		{"another relation's", "/books", "text/vcard", allowed()},
		{"of some columns", "/authors?select=id", "text/vcard", allowed()},
		{"of more than the relation", "/authors?select=*,books(id)", "text/vcard", allowed()},
		{"a plan where they are off", "/authors", "application/vnd.pgrst.plan", noPlans},
		{"a plan of what can't be made", "/authors", `application/vnd.pgrst.plan; for="text/none"`, allowed()},
		{"GeoJSON without PostGIS", "/authors", "application/geo+json", allowed()},
		{"the root in CSV", "/", "text/csv", allowed()},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind, code, f := refusal(t, ask{target: "GET " + c.path, headers: []string{"Accept", c.accept}}, c.opt)
			if kind != 406 || code != "PGRST107" {
				t.Errorf("%d %s", kind, f)
			}
		})
	}
	_, _, f := refusal(t, ask{target: "GET /authors", headers: []string{"Accept", "text/none, text/other"}}, allowed())
	if want := "None of these media types are available: text/none, text/other"; f.Message != want {
		t.Errorf("wanted %q, got %q", want, f.Message)
	}
}

func TestHeadRendersNothing(t *testing.T) {
	p := must[*plan.Read](t, ask{target: "HEAD /authors", headers: []string{"Accept", "text/csv"}}, allowed())
	if !p.HeadersOnly || p.Handler.Kind != schema.NoHandler || p.Media.String() != "text/csv" {
		t.Errorf("%+v", p)
	}
}

func TestRoot(t *testing.T) {
	for _, accept := range []string{"*/*", "application/json", "application/openapi+json", "text/csv, application/json"} {
		p := must[*plan.Inspect](t, ask{target: "GET /", headers: []string{"Accept", accept}}, allowed())
		if p.Schema != "api" || p.HeadersOnly {
			t.Errorf("%s: %+v", accept, p)
		}
	}
	if p := must[*plan.Inspect](t, ask{target: "HEAD /"}, allowed()); !p.HeadersOnly {
		t.Errorf("%+v", p)
	}
}

func TestInfo(t *testing.T) {
	for target, want := range map[string]string{
		"/":            "OPTIONS,GET,HEAD",
		"/books":       "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE",
		"/best":        "OPTIONS,GET,HEAD,PATCH",
		"/rpc/newest":  "OPTIONS,GET,HEAD,POST",
		"/rpc/publish": "OPTIONS,POST",
	} {
		if got := must[*plan.Info](t, ask{target: "OPTIONS " + target}, allowed()).Allow; got != want {
			t.Errorf("%s: wanted %s, got %s", target, want, got)
		}
	}
	for target, want := range map[string]string{"/nope": "PGRST205", "/rpc/nope": "PGRST202"} {
		if _, code, _ := refusal(t, ask{target: "OPTIONS " + target}, allowed()); code != want {
			t.Errorf("%s: %s", target, code)
		}
	}
}

func TestStrictPreferences(t *testing.T) {
	_, code, f := refusal(t, ask{target: "GET /books", headers: prefer("handling=strict", "a=b", "count=exact", "c")}, allowed())
	if code != "PGRST122" || f.Details != "Invalid preferences: a=b, c" {
		t.Errorf("%s %v", f, f.Details)
	}
	must[*plan.Read](t, ask{target: "GET /books", headers: prefer("handling=lenient", "a=b")}, allowed())
	must[*plan.Read](t, ask{target: "GET /books", headers: prefer("a=b")}, allowed())
}
