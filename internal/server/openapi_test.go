package server

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/tarn-data/tarn/internal/endpoint/openapi"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestDocument has the document validated as OpenAPI 3.1, and every route in it.
func TestDocument(t *testing.T) {
	g := newTestGateway(t, nil)
	w := httptest.NewRecorder()
	g.platform.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, openAPIPath, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("version %s", doc.OpenAPI)
	}
	ws, err := g.state.Workspace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range g.routes(ws) {
		for _, path := range append([]string{r.Path}, r.Also...) {
			item := doc.Paths.Value(strings.ReplaceAll(strings.TrimSuffix(path, "{$}"), "...}", "}"))
			if item == nil || item.GetOperation(r.Method) == nil {
				t.Errorf("%s %s is not in the document", r.Method, path)
			}
		}
	}
	create := doc.Paths.Value(accessLists).Post
	body := create.RequestBody.Value.Content["application/json"].Schema.Value
	if body.Properties["ip_addresses"] == nil || !body.Properties["ip_addresses"].Value.Type.Is("array") {
		t.Errorf("the body of %s is %v", create.OperationID, body)
	}
	one := doc.Paths.Value(accessLists + "/{ip_access_list_id}").Get
	if len(one.Parameters) != 1 || one.Parameters[0].Value.In != "path" {
		t.Errorf("parameters %v", one.Parameters)
	}
}

// TestAnswersKeepTheirFields: within a version of an API, clients find in answers what they found before. A field that is
// gone, or is of another type, fails this test. What is new is only told; it is promised from when make golden (this test with -update)
// has added it to the file. To take something away on purpose is to take its line out of the file by hand.
func TestAnswersKeepTheirFields(t *testing.T) {
	const file = "testdata/fields.golden"
	g := newTestGateway(t, nil)
	ws, err := g.state.Workspace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, r := range g.routes(ws) {
		if _, out := r.Do.Types(); out != nil {
			for _, field := range openapi.Fields(out) {
				have = append(have, r.Method+" "+r.Path+" "+field)
			}
		}
	}
	slices.Sort(have)
	golden, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	kept := strings.Split(strings.TrimSpace(string(golden)), "\n")
	for _, field := range kept {
		if !slices.Contains(have, field) {
			t.Errorf("answers no longer have %s: clients count on it. If it is meant, take the line out of %s by hand", field, file)
		}
	}
	if t.Failed() {
		return
	}
	if *update {
		if err := os.WriteFile(filepath.FromSlash(file), []byte(strings.Join(have, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	fresh := slices.DeleteFunc(have, func(field string) bool { return slices.Contains(kept, field) })
	if len(fresh) > 0 {
		t.Logf("%d fields are new, and not promised yet. To promise them: make golden\n%s", len(fresh), strings.Join(fresh, "\n"))
	}
}
