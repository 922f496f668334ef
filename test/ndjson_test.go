package test

import (
	"strings"
	"testing"
)

// TestNDJSON writes and reads a JSON object a line, with the rows rendered here and in the database.
func TestNDJSON(t *testing.T) {
	s := serveDataAPI(t)
	const lines = "application/x-ndjson"
	body := "{\"id\":101,\"name\":\"a\\nb\",\"doc\":{\"k\" : 1}}\n\n{\"id\":102,\"name\":null,\"doc\":[]}\r\n"
	if got := ask(t, "POST", s.url+"/items", body, "Content-Type", lines); got.status != 201 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	want := "{\"id\":101,\"name\":\"a\\nb\",\"doc\":{\"k\": 1}}\n{\"id\":102,\"name\":null,\"doc\":[]}\n"
	for _, prefer := range []string{"", "count=exact"} {
		got := ask(t, "GET", s.url+"/items?id=gt.100&order=id&limit=10", "", "Accept", lines, "Prefer", prefer)
		if got.status != 200 || got.body != want || got.header.Get("Content-Type") != lines {
			t.Errorf("%q: %d %s %q", prefer, got.status, got.header.Get("Content-Type"), got.body)
		}
	}
	if got := ask(t, "GET", s.url+"/items?id=lt.0", "", "Accept", lines); got.status != 200 || got.body != "" {
		t.Errorf("%d %q", got.status, got.body)
	}
	if got := ask(t, "PATCH", s.url+"/items?id=eq.102", `{"name":"x"}`, "Content-Type", "application/json", "Accept", lines, "Prefer", "return=representation"); got.body != "{\"id\":102,\"name\":\"x\",\"doc\":[]}\n" {
		t.Errorf("%d %q", got.status, got.body)
	}
	for _, bad := range []string{"{\"id\":103}\nnope", "{\"id\":103},{\"id\":104", strings.Repeat("[", 20)} {
		got := ask(t, "POST", s.url+"/items", bad, "Content-Type", lines)
		if got.status != 400 {
			t.Errorf("%s: %d %s", bad, got.status, got.body)
		}
		checkError(t, got, "PGRST102")
	}
}
