package reply_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/reply"
	"github.com/tarn-data/tarn/internal/fault"
)

func TestStatusOfSQLSTATE(t *testing.T) {
	const member = true
	for _, c := range []struct {
		code, message string
		authenticated bool
		want          fault.Kind
	}{
		{"02000", "", member, 400},
		{"03000", "", member, 400},
		{"08000", "", member, 503},
		{"08006", "", member, 503},
		{"09000", "", member, 500},
		{"0A000", "", member, 400},
		{"0B000", "", member, 400},
		{"0F000", "", member, 400},
		{"0L000", "", member, 403},
		{"0LP01", "", member, 403},
		{"0P000", "", member, 403},
		{"20000", "", member, 400},
		{"21000", "more than one row returned by a subquery used as an expression", member, 500},
		{"21000", "UPDATE requires a WHERE clause", member, 400},
		{"21000", "DELETE requires a WHERE clause", !member, 400},
		{"22012", "", member, 400},
		{"22P02", "", member, 400},
		{"22023", "invalid value", member, 400},
		{"22023", `role "x" does not exist`, member, 401},
		{"22023", `role "x" is locked`, member, 400},
		{"22023", `time zone "x" does not exist`, member, 400},
		{"23000", "", member, 400},
		{"23502", "", member, 400},
		{"23503", "", member, 409},
		{"23505", "", member, 409},
		{"23514", "", member, 400},
		{"25000", "", member, 500},
		{"25006", "", member, 405},
		{"26000", "", member, 400},
		{"28000", "", member, 403},
		{"28P01", "", !member, 403},
		{"2B000", "", member, 400},
		{"2D000", "", member, 500},
		{"2F000", "", member, 400},
		{"34000", "", member, 400},
		{"38000", "", member, 500},
		{"39000", "", member, 500},
		{"3B001", "", member, 500},
		{"3D000", "", member, 400},
		{"3F000", "", member, 400},
		{"40001", "", member, 500},
		{"40P01", "", member, 500},
		{"42601", "", member, 400},
		{"42703", "", member, 400},
		{"42704", "", member, 400},
		{"42501", "", member, 403},
		{"42501", "", !member, 401},
		{"42883", "function f() does not exist", member, 404},
		{"42883", "function xmlagg(x) does not exist", member, 406},
		{"42P01", "", member, 404},
		{"42P17", "", member, 500},
		{"44000", "", member, 400},
		{"53000", "", member, 503},
		{"53300", "", member, 503},
		{"53400", "", member, 500},
		{"54001", "", member, 500},
		{"55P03", "", member, 500},
		{"57014", "", member, 500},
		{"57P01", "", member, 503},
		{"58030", "", member, 500},
		{"72000", "", member, 400},
		{"F0000", "", member, 500},
		{"HV000", "", member, 500},
		{"P0000", "", member, 500},
		{"P0001", "", member, 400},
		{"P0002", "", member, 500},
		{"XX000", "", member, 500},
		{"PT402", "", member, 402},
		{"PT299", "", member, 299},
		{"PT099", "", member, 500},
		{"PTabc", "", member, 500},
		{"PT", "", member, 500},
		{"ABCDE", "", member, 400},
		{"", "", member, 400},
	} {
		f := reply.FromPostgres(reply.PostgresError{Code: c.code, Message: c.message}, c.authenticated)
		if f.Kind != c.want {
			t.Errorf("%s %q, authenticated %v: wanted %d, got %d", c.code, c.message, c.authenticated, c.want, f.Kind)
		}
		if challenged := len(f.Headers) == 1 && f.Headers[0].Name == "WWW-Authenticate"; challenged != (c.want == 401) {
			t.Errorf("%s: headers %v", c.code, f.Headers)
		}
	}
}

func TestErrorsOfPostgresKeepTheirText(t *testing.T) {
	got := reply.FromPostgres(reply.PostgresError{Code: "23514", Message: "m", Detail: "", Hint: "h", HasDetail: true}, true)
	want := &fault.Error{Kind: 400, Code: "23514", Message: "m", Details: "", Hint: "h"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := reply.FromPostgres(reply.PostgresError{Code: "23514", Detail: "not there"}, true); got.Details != nil {
		t.Error(got.Details)
	}
}

func TestRaised(t *testing.T) {
	const (
		message = `{"code":"123","message":"no","details":"d","hint":"h"}`
		detail  = `{"status":332,"headers":{"X-B":"2","X-A":"1"}}`
	)
	raise := func(message, detail string) *fault.Error {
		return reply.FromPostgres(reply.PostgresError{Code: "PGRST", Message: message, Detail: detail, HasDetail: detail != ""}, true)
	}
	want := &fault.Error{
		Kind: 332, Code: "123", Message: "no", Details: "d", Hint: "h",
		Headers: []fault.Header{{Name: "X-A", Value: "1"}, {Name: "X-B", Value: "2"}},
	}
	if diff := cmp.Diff(want, raise(message, detail)); diff != "" {
		t.Error(diff)
	}
	want = &fault.Error{Kind: 418, Code: "", Message: ""}
	if diff := cmp.Diff(want, raise(`{"code":"","message":""}`, `{"status":418,"headers":{},"status_text":"short"}`)); diff != "" {
		t.Error(diff)
	}
	const (
		messageHint = "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'."
		detailHint  = "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'."
	)
	for _, c := range []struct{ message, detail, details, hint string }{
		{"INVALID", detail, "Invalid JSON value for MESSAGE: 'INVALID'", messageHint},
		{`{"message":"no"}`, detail, `Invalid JSON value for MESSAGE: '{"message":"no"}'`, messageHint},
		{`{"code":"123"}`, detail, `Invalid JSON value for MESSAGE: '{"code":"123"}'`, messageHint},
		{`{"code":123,"message":"no"}`, detail, `Invalid JSON value for MESSAGE: '{"code":123,"message":"no"}'`, messageHint},
		{`[]`, detail, `Invalid JSON value for MESSAGE: '[]'`, messageHint},
		{message, "", "DETAIL is missing in the RAISE statement", detailHint},
		{message, "INVALID", "Invalid JSON value for DETAIL: 'INVALID'", detailHint},
		{message, `{"status":400}`, `Invalid JSON value for DETAIL: '{"status":400}'`, detailHint},
		{message, `{"headers":{}}`, `Invalid JSON value for DETAIL: '{"headers":{}}'`, detailHint},
		{message, `{"status":"400","headers":{}}`, `Invalid JSON value for DETAIL: '{"status":"400","headers":{}}'`, detailHint},
		{message, `{"status":400,"headers":[]}`, `Invalid JSON value for DETAIL: '{"status":400,"headers":[]}'`, detailHint},
		{message, `{"status":400,"headers":{"X":1}}`, `Invalid JSON value for DETAIL: '{"status":400,"headers":{"X":1}}'`, detailHint},
	} {
		want := &fault.Error{
			Kind: 500, Code: "PGRST121", Message: `Could not parse JSON in the "RAISE SQLSTATE 'PGRST'" error`, Details: c.details, Hint: c.hint,
		}
		if diff := cmp.Diff(want, raise(c.message, c.detail)); diff != "" {
			t.Errorf("%s, %s: %s", c.message, c.detail, diff)
		}
	}
}
