package test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tarn-data/tarn/internal/fault"
)

var (
	ownCode  = regexp.MustCompile(`^(PGRST[X0-9]\d+|408|413|499)$`)
	errorRow = regexp.MustCompile("(?m)^\\| `([A-Z0-9]+)` \\| (\\d+) \\|")
)

// TestErrorsDocument holds docs/errors.md against the codes in the source, and their statuses where those stand beside them.
func TestErrorsDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string][]string{}
	for _, row := range errorRow.FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = append(documented[row[1]], row[2])
	}
	found := codesInSource(t, "../internal")
	if len(found) < 40 {
		t.Fatalf("only %d codes were found in the source", len(found))
	}
	for code, statuses := range found {
		if documented[code] == nil {
			t.Errorf("%s is not in docs/errors.md", code)
		}
		for _, status := range statuses {
			if !slices.Contains(documented[code], status) {
				t.Errorf("%s is answered with %s, docs/errors.md has %v", code, status, documented[code])
			}
		}
	}
	for code := range documented {
		if _, ok := found[code]; !ok && code != "500" { // which fault.From makes of its kind
			t.Errorf("%s is in docs/errors.md, but not in the source", code)
		}
	}
}

// codesInSource finds the codes of errors, and the statuses that calls of fault.New give them.
func codesInSource(t *testing.T, root string) map[string][]string {
	t.Helper()
	kinds := map[string]fault.Kind{
		"Ambiguous": fault.Ambiguous, "Invalid": fault.Invalid, "Unauthenticated": fault.Unauthenticated, "Denied": fault.Denied,
		"NotFound": fault.NotFound, "MethodNotAllowed": fault.MethodNotAllowed, "NotAcceptable": fault.NotAcceptable,
		"Stalled": fault.Stalled, "Conflict": fault.Conflict, "TooLarge": fault.TooLarge, "RangeUnsatisfiable": fault.RangeUnsatisfiable,
		"Internal": fault.Internal, "Unavailable": fault.Unavailable, "TimedOut": fault.TimedOut,
	}
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if code, ok := literal(n); ok && ownCode.MatchString(code) && found[code] == nil {
				found[code] = []string{}
			}
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			code, _ := literal(call.Args[1])
			kind, isKind := call.Args[0].(*ast.SelectorExpr)
			if !isKind || !ownCode.MatchString(code) {
				return true
			}
			status, known := kinds[kind.Sel.Name]
			if !known {
				t.Errorf("%s: unknown kind %s", path, kind.Sel.Name)
			}
			found[code] = append(found[code], fmt.Sprint(int(status)))
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// literal returns the value of a string literal.
func literal(n ast.Node) (string, bool) {
	l, ok := n.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}
