package request

import (
	"errors"
	"strings"
	"testing"

	"github.com/tarn-data/tarn/internal/fault"
)

// complaint is what a client is told about a text that a rule refuses; empty when the rule accepts it.
func complaint[T any](t *testing.T, rule func(*lexer) (T, bool), text string) string {
	t.Helper()
	_, err := parse("it", text, rule)
	if err == nil {
		return ""
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != "PGRST100" || f.Kind != fault.Invalid {
		t.Fatalf("not a fault of a parameter: %v", err)
	}
	prefix := `"failed to parse it (` + text + `)" `
	if !strings.HasPrefix(f.Message, prefix) {
		t.Fatalf("message = %s, want it to start with %s", f.Message, prefix)
	}
	return strings.TrimPrefix(f.Message, prefix) + ": " + f.Details.(string)
}

func TestFailures(t *testing.T) {
	ruled := func(rule string) func(text string) string {
		return func(text string) string {
			switch rule {
			case "select":
				return complaint(t, (*lexer).selectItems, text)
			case "field":
				return complaint(t, (*lexer).selectField, text)
			case "relation":
				return complaint(t, (*lexer).relationHead, text)
			case "spread":
				return complaint(t, (*lexer).spreadHead, text)
			case "name":
				return complaint(t, (*lexer).name, text)
			case "path":
				return complaint(t, (*lexer).jsonPath, text)
			case "filter":
				return complaint(t, (*lexer).condition, text)
			case "argument":
				return complaint(t, (*lexer).argument, text)
			case "order":
				return complaint(t, (*lexer).orderTerms, text)
			case "logic":
				return complaint(t, (*lexer).logic, text)
			case "names":
				return complaint(t, (*lexer).names, text)
			case "target":
				return complaint(t, (*lexer).target, text)
			}
			t.Fatalf("no rule %s", rule)
			return ""
		}
	}
	for _, c := range []struct{ rule, text, want string }{
		{"select", `id,clients(name[])`, `(line 1, column 16): unexpected '[' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`},
		{"select", `data->>-78xy`, `(line 1, column 11): unexpected 'x' expecting digit, "->", "::", ".", "," or end of input`},
		{"select", `data->>--34`, `(line 1, column 9): unexpected "-" expecting digit`},
		{"select", `data->(x`, `(line 1, column 7): unexpected "(" expecting "-", digit or any non reserved character different from: .,>()`},
		{"select", `id,`, `(line 1, column 4): unexpected end of input expecting "...", field name (* or [a..z0..9_$]), "*" or "count()"`},
		{"select", `clients(id`, `(line 1, column 11): unexpected end of input expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`},
		{"select", `a:b:c`, `(line 1, column 4): unexpected "c" expecting "::"`},
		{"select", "\"a\n\tb\"!", `(line 2, column 11): unexpected '!' expecting "->>", "->", "::", ".", ")", "," or end of input`},
		{"select", "a,\n", `(line 1, column 3): unexpected "\n" expecting "...", field name (* or [a..z0..9_$]), "*" or "count()"`},
		{"select", `"abc`, `(line 1, column 5): unexpected end of input expecting "\\" or "\""`},
		{"select", `é(é[`, `(line 1, column 4): unexpected '[' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`},
		{"select", "a\u00d7", `(line 1, column 2): unexpected '\215' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`},
		{"select", "a\x01", `(line 1, column 2): unexpected '\SOH' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`},
		{"select", "id.st()", `(line 1, column 4): unexpected "t" expecting "sum"`},
		{"select", "c-d!h", `(line 1, column 4): unexpected '!' expecting "-", "->>", "->", "::", ".", ")", "," or end of input`},
		{"field", `name!hint`, `(line 1, column 5): unexpected '!' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`},
		{"field", `*!hint`, `(line 1, column 2): unexpected '!' expecting ")", "," or end of input`},
		{"field", `name::`, `(line 1, column 7): unexpected end of input expecting letter or digit`},
		{"relation", `rel->jsonpath(*)`, `(line 1, column 6): unexpected '>'`},
		{"relation", `rel->jsonpath!hint(*)`, `(line 1, column 6): unexpected '>'`},
		{"spread", `rel(*)`, `(line 1, column 1): unexpected "r" expecting "..."`},
		{"spread", `alias:...rel(*)`, `(line 1, column 1): unexpected "a" expecting "..."`},
		{"spread", `...rel->jsonpath(*)`, `(line 1, column 9): unexpected '>'`},
		{"name", `:`, `(line 1, column 1): unexpected ":" expecting field name (* or [a..z0..9_$])`},
		{"name", `a-`, `(line 1, column 3): unexpected end of input expecting ">", letter or digit`},
		{"path", `->>-78xy`, `(line 1, column 7): unexpected 'x' expecting digit, "->", "::", ".", "," or end of input`},
		{"path", `->>--34`, `(line 1, column 5): unexpected "-" expecting digit`},
		{"path", `->>-xy-4`, `(line 1, column 5): unexpected "x" expecting digit`},
		{"filter", `noop.0`, `(line 1, column 1): unexpected "o" expecting "not" or operator (eq, gt, ...)`},
		{"filter", `val`, `(line 1, column 1): unexpected "v" expecting "not" or operator (eq, gt, ...)`},
		{"filter", `0`, `(line 1, column 1): unexpected "0" expecting "not" or operator (eq, gt, ...)`},
		{"filter", ``, `(line 1, column 1): unexpected end of input expecting "not" or operator (eq, gt, ...)`},
		{"filter", `fts().value`, `(line 1, column 5): unexpected ")" expecting operator (eq, gt, ...)`},
		{"filter", `eq().value`, `(line 1, column 4): unexpected ")" expecting operator (eq, gt, ...)`},
		{"filter", `is().value`, `(line 1, column 3): unexpected "(" expecting operator (eq, gt, ...)`},
		{"filter", `in().value`, `(line 1, column 3): unexpected "(" expecting operator (eq, gt, ...)`},
		{"filter", `is.nil`, `(line 1, column 5): unexpected "i" expecting isVal: (null, not_null, true, false, unknown)`},
		{"filter", `in.1,2`, `(line 1, column 4): unexpected "1" expecting "("`},
		{"filter", `in.(1,2`, `(line 1, column 8): unexpected end of input expecting "," or ")"`},
		{"filter", `not.5`, `(line 1, column 5): unexpected "5" expecting operator (eq, gt, ...)`},
		{"argument", `not.5`, `(line 1, column 5): unexpected "5" expecting operator (eq, gt, ...)`},
		{"argument", `in.5`, `(line 1, column 4): unexpected "5" expecting "("`},
		{"argument", `5`, ``},
		{"order", `clients(name,id)`, `(line 1, column 8): unexpected '(' expecting letter, digit, "-", "->>", "->", delimiter (.), "," or end of input`},
		{"order", `id.ac`, `(line 1, column 4): unexpected "c" expecting "asc", "desc", "nullsfirst" or "nullslast"`},
		{"order", `id.descc`, `(line 1, column 8): unexpected 'c' expecting delimiter (.), "," or end of input`},
		{"order", `id.nulsfist`, `(line 1, column 4): unexpected "n" expecting "asc", "desc", "nullsfirst" or "nullslast"`},
		{"order", `id.nullslasttt`, `(line 1, column 13): unexpected 't' expecting "," or end of input`},
		{"order", `id.smth34`, `(line 1, column 4): unexpected "s" expecting "asc", "desc", "nullsfirst" or "nullslast"`},
		{"order", `id.asc.nlsfst`, `(line 1, column 8): unexpected "l" expecting "nullsfirst" or "nullslast"`},
		{"order", `id.asc.nullslasttt`, `(line 1, column 17): unexpected 't' expecting "," or end of input`},
		{"order", `id.asc.smth34`, `(line 1, column 8): unexpected "s" expecting "nullsfirst" or "nullslast"`},
		{"logic", `or()`, `(line 1, column 4): unexpected ")" expecting field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)`},
		{"logic", `or(id.in.1,2,id.eq.3)`, `(line 1, column 10): unexpected "1" expecting "("`},
		{"logic", `or)(`, `(line 1, column 3): unexpected ")" expecting "("`},
		{"logic", `and(ord(id.eq.1,id.eq.1),id.eq.2)`, `(line 1, column 7): unexpected "d" expecting "("`},
		{"logic", `or(id.eq.1,not.xor(id.eq.2,id.eq.3))`, `(line 1, column 16): unexpected "x" expecting logic operator (and, or)`},
		{"logic", `or(id.eq.1`, `(line 1, column 11): unexpected end of input expecting "," or ")"`},
		{"names", ``, `(line 1, column 1): unexpected end of input expecting field name (* or [a..z0..9_$])`},
		{"names", `a,`, `(line 1, column 3): unexpected end of input expecting field name (* or [a..z0..9_$])`},
		{"target", `a..b`, `(line 1, column 3): unexpected "." expecting field name (* or [a..z0..9_$])`},
	} {
		if got := ruled(c.rule)(c.text); got != c.want {
			t.Errorf("%s %q\n got %s\nwant %s", c.rule, c.text, got, c.want)
		}
	}
}
