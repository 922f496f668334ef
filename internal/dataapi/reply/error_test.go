package reply_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/reply"
	"github.com/tarn-data/tarn/internal/fault"
)

func TestError(t *testing.T) {
	plain := fault.New(fault.NotFound, "PGRST205", "no <table>")
	for _, c := range []struct {
		name    string
		f       *fault.Error
		minimal bool
		body    string
	}{
		{"plain", plain, false, `{"code":"PGRST205","details":null,"hint":null,"message":"no <table>"}`},
		{"with all", plain.WithDetails("d & e").WithHint(`say "x"`), false, `{"code":"PGRST205","details":"d & e","hint":"say \"x\"","message":"no <table>"}`},
		{"with a value", plain.WithDetails([]int{1, 2}), false, `{"code":"PGRST205","details":[1,2],"hint":null,"message":"no <table>"}`},
		{"with empty details", plain.WithDetails(""), false, `{"code":"PGRST205","details":"","hint":null,"message":"no <table>"}`},
		{"minimal", plain.WithDetails("d").WithHint("h"), true, `{"code":"PGRST205","message":"no <table>"}`},
		{"the cause is for the log", plain.WithCause(fault.New(500, "", "secret")), false, `{"code":"PGRST205","details":null,"hint":null,"message":"no <table>"}`},
		{"what can't be encoded", plain.WithDetails(math.Inf(1)), false, `{"code":"PGRSTX00","details":null,"hint":null,"message":"the error could not be encoded"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := reply.Error(c.f, c.minimal)
			if r.Status != 404 || string(r.Body) != c.body {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
	r := reply.Error(plain.WithHeader("Retry-After", "3"), false)
	want := []reply.Header{
		{Name: "Content-Type", Value: "application/json; charset=utf-8"}, {Name: "Content-Length", Value: "69"},
		{Name: "Proxy-Status", Value: "PostgREST; error=PGRST205"}, {Name: "Retry-After", Value: "3"},
	}
	if diff := cmp.Diff(want, r.Headers); diff != "" {
		t.Error(diff)
	}
}

func TestWarnLegacyTargets(t *testing.T) {
	r := &reply.Reply{}
	reply.WarnLegacyTargets(r, nil)
	if r.Headers != nil {
		t.Errorf("warned of nothing: %v", r.Headers)
	}
	reply.WarnLegacyTargets(r, []plan.LegacyTarget{{Name: "authors", Alias: "a"}, {Name: "tags", Alias: "t"}})
	want := []reply.Header{{Name: "Warning", Value: `299 PostgRESTv16 "Embedded resource was referenced by relation name even though it has an alias.` +
		" This is deprecated and will stop working in a future release. Update `authors` to `a`, `tags` to `t` in query string filters, orders or limits.\""}}
	if diff := cmp.Diff(want, r.Headers); diff != "" {
		t.Error(diff)
	}
}
