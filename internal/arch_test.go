package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tarn-data/tarn/"

// mayImport is who may import whom inside the module: dependencies point one way, from what people run to what knows the
// least. Names are those below internal. A new package is a new line. Tests may import what they like.
var mayImport = map[string]string{
	"cmd/tarn": "cli",

	"credential/credentialtest": "credential vault",
	"credential/kv":             "credential vault",
	"credential":                "endpoint fault vault",
	"vault/keyservice":          "vault",
	"connection":                "auth endpoint fault outbound vault workspace",
	"workspace":                 "vault",
	"apiclient":                 "config",

	"cli": "store apiclient server config dataapi token fault pg pg/databricksauth pg/embedded audit gateway ratelimit outbound",
	"server": "http1 telemetry oauth control/tokens endpoint/openapi control/identity control/permissions control/clusters accesslog config auth dataapi endpoint fault gateway pg pg/databricksauth pg/embedded store token vault audit " +
		"connector control/databases synctable ratelimit throttle throttle/redisshares control/ipaccess control/limits control/workspaceconf connection outbound workspace credential credential/kv vault/keyservice",

	"dataapi": "dataapi/media dataapi/payload dataapi/request dataapi/schema dataapi/plan dataapi/sqlgen dataapi/prepared dataapi/exec dataapi/reply " +
		"dataapi/openapi dataapi/introspect auth config fault pg",

	// The walk of a request: each stage knows the values before its own, never a later one.
	"dataapi/media":    "fault",
	"dataapi/request":  "dataapi/media dataapi/payload fault",
	"dataapi/schema":   "dataapi/media fault",
	"dataapi/rowtext":  "",
	"dataapi/payload":  "dataapi/rowtext fault",
	"dataapi/plan":     "dataapi/media dataapi/payload dataapi/request dataapi/rowtext dataapi/schema fault",
	"dataapi/sqlgen":   "dataapi/media dataapi/payload dataapi/request dataapi/schema dataapi/plan fault",
	"dataapi/exec":     "dataapi/payload dataapi/rowtext dataapi/schema dataapi/sqlgen fault pg",
	"dataapi/prepared": "dataapi/request dataapi/schema dataapi/plan dataapi/sqlgen",
	"dataapi/reply":    "dataapi/media dataapi/request dataapi/schema dataapi/plan dataapi/sqlgen fault",

	"dataapi/openapi":    "dataapi/schema",
	"dataapi/introspect": "dataapi/media dataapi/schema fault pg",

	"gateway":           "auth endpoint fault",
	"audit":             "endpoint fault",
	"endpoint":          "auth fault",
	"vault":             "",
	"connector":         "auth endpoint fault outbound vault workspace",
	"synctable":         "",
	"control/databases": "auth endpoint fault synctable",
	"outbound":          "",
	"control/clusters":  "endpoint",
	"store":             "auth control/databases control/identity control/permissions fault pg scim vault audit ratelimit throttle control/ipaccess control/limits connection control/tokens oauth token credential",

	"endpoint/openapi": "endpoint",

	"control/ipaccess":      "endpoint fault",
	"control/limits":        "endpoint",
	"control/workspaceconf": "endpoint",

	"throttle":             "endpoint fault ratelimit",
	"throttle/redisshares": "throttle",
	"ratelimit":            "",
	"telemetry":            "",

	// Services: none knows another.
	"control/identity":    "auth endpoint fault scim",
	"control/permissions": "auth endpoint",
	"scim":                "fault",
	"control/tokens":      "auth endpoint fault",

	"oauth": "auth endpoint fault token",

	"accesslog":      "",
	"auth":           "config fault token",
	"config":         "fault token",
	"token":          "fault token/jsonpath",
	"token/jsonpath": "",

	"pgtest":            "pg/databricksauth pg/embedded",
	"pg/embedded":       "pg pg/databricksauth",
	"pg/databricksauth": "",
	"pg":                "fault netfd",
	"netfd":             "",
	"http1":             "netfd",
	"fault":             "",
}

// pure are the packages that are plain functions: nothing of the world outside reaches them, and nothing of what they
// do reaches it. They import each other and the standard library only.
var pure = []string{
	"scim",
	"fault",
	"dataapi/media",
	"dataapi/request",
	"dataapi/schema",
	"dataapi/plan",
	"dataapi/sqlgen",
	"dataapi/prepared",
	"dataapi/reply",
	"dataapi/openapi",
	"dataapi/rowtext",
	"dataapi/payload",
	"token/jsonpath",
	"ratelimit",
}

// impure are packages of the standard library through which the world is reached, with all below them.
var impure = []string{"context", "database/sql", "embed", "io/ioutil", "log", "math/rand", "net", "os", "syscall", "testing"}

// fine are exceptions of impure.
var fine = []string{"net/netip", "net/url"}

// dependents are the packages that may import a module of others.
var dependents = map[string]string{
	"github.com/hashicorp/vault/api":      "credential/kv",
	"gocloud.dev":                         "vault/keyservice",
	"github.com/posener/complete":         "cli",
	"github.com/willabides/kongplete":     "cli",
	"github.com/alecthomas/kong":          "cli",
	"github.com/jackc/pglogrepl":          "synctable",
	"github.com/jackc/pgx/v5":             "pg pg/embedded dataapi dataapi/exec dataapi/introspect server cli pgtest store synctable control/databases",
	"github.com/parquet-go/parquet-go":    "synctable",
	"github.com/tink-crypto/tink-go/v2":   "vault",
	"github.com/pressly/goose/v3":         "store",
	"github.com/lestrrat-go/jwx/v3":       "token",
	"github.com/prometheus/client_golang": "server",
	"github.com/klauspost/compress":       "server",
	"golang.org/x/oauth2":                 "apiclient oauth",
	"golang.org/x/crypto":                 "control/identity server",
	"github.com/coreos/go-oidc/v3":        "oauth",
	"github.com/redis/go-redis/v9":        "throttle/redisshares",
	"go4.org/netipx":                      "control/ipaccess",
	"go.opentelemetry.io/otel":            "telemetry",
	"golang.org/x/sys":                    "server pg/embedded",
}

// environment are the packages that may read the environment. The second one is part of tests only.
var environment = []string{"config", "pgtest"}

// source is what a folder's files say.
type source struct {
	dir     string // its short name
	name    string
	comment string
	imports []string
	files   []*ast.File
}

func TestImports(t *testing.T) {
	for _, src := range sources(t) {
		allowed, ok := mayImport[src.dir]
		if !ok {
			t.Errorf("%s has no line in the table of who may import whom", src.dir)
			continue
		}
		for _, imported := range src.imports {
			if inner, ours := inside(imported); ours {
				if !slices.Contains(strings.Fields(allowed), inner) {
					t.Errorf("%s imports %s, which the table doesn't allow", src.dir, inner)
				}
			} else if strings.Contains(imported, ".") && !mayDepend(src.dir, imported) {
				t.Errorf("%s imports %s, which the table of dependents doesn't allow", src.dir, imported)
			}
		}
	}
}

func TestTableNamesPackagesThatExist(t *testing.T) {
	there := map[string]bool{}
	for _, src := range sources(t) {
		there[src.dir] = true
	}
	for dir, allowed := range mayImport {
		for _, name := range append(strings.Fields(allowed), dir) {
			if !there[name] {
				t.Errorf("the line of %s names %s, which doesn't exist", dir, name)
			}
		}
	}
}

func TestTableHasNoCycle(t *testing.T) {
	var visit func(dir string, above []string)
	visit = func(dir string, above []string) {
		if slices.Contains(above, dir) {
			t.Fatalf("the table allows a cycle: %s", strings.Join(append(above, dir), " → "))
		}
		for next := range strings.FieldsSeq(mayImport[dir]) {
			visit(next, append(slices.Clip(above), dir))
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(mayImport)) {
		visit(dir, nil)
	}
}

func TestPurePackages(t *testing.T) {
	for _, src := range sources(t) {
		if !slices.Contains(pure, src.dir) {
			continue
		}
		for _, imported := range src.imports {
			inner, ours := inside(imported)
			switch {
			case ours && !slices.Contains(pure, inner):
				t.Errorf("%s is pure and imports %s, which isn't", src.dir, inner)
			case !ours && strings.Contains(imported, "."):
				t.Errorf("%s is pure and imports %s", src.dir, imported)
			case !slices.Contains(fine, imported) && slices.ContainsFunc(impure, func(p string) bool { return within(imported, p) }):
				t.Errorf("%s is pure and imports %s", src.dir, imported)
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	for _, src := range sources(t) {
		want := "Package " + src.name + " "
		if src.name == "main" {
			want = "Command " + path.Base(src.dir) + " "
		}
		if !strings.HasPrefix(src.comment, want) {
			t.Errorf("%s has no comment that begins with %q", src.dir, want)
		}
	}
}

func TestPackageNamesSayWhatTheyProvide(t *testing.T) {
	vague := strings.Fields("util utils common helper helpers base model models type types shared misc")
	for _, src := range sources(t) {
		if slices.Contains(vague, src.name) {
			t.Errorf("%s: the name %s says nothing", src.dir, src.name)
		}
	}
}

func TestOnlyConfigReadsTheEnvironment(t *testing.T) {
	readers := []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}
	for _, src := range sources(t) {
		if slices.Contains(environment, src.dir) {
			continue
		}
		for _, file := range src.files {
			ast.Inspect(file, func(n ast.Node) bool {
				if call, ok := n.(*ast.SelectorExpr); ok && slices.Contains(readers, call.Sel.Name) {
					if pkg, ok := call.X.(*ast.Ident); ok && (pkg.Name == "os" || pkg.Name == "syscall") {
						t.Errorf("%s reads the environment with %s.%s", src.dir, pkg.Name, call.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// mayDepend tells whether a package may import one of another module.
func mayDepend(dir, imported string) bool {
	for other, packages := range dependents {
		if within(imported, other) {
			return slices.Contains(strings.Fields(packages), dir)
		}
	}
	return false
}

// short is the name of a folder in the tables.
func short(dir string) string { return strings.TrimPrefix(dir, "internal/") }

// inside is the short name of a package of this module.
func inside(imported string) (string, bool) {
	dir, ours := strings.CutPrefix(imported, module)
	return short(dir), ours
}

// within tells whether a path is another one or below it.
func within(p, above string) bool { return p == above || strings.HasPrefix(p, above+"/") }

// sources reads all packages of the module for all systems, without their tests.
func sources(t *testing.T) []*source {
	t.Helper()
	found := map[string]*source{}
	fileSet := token.NewFileSet()
	err := filepath.WalkDir("..", func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); p != ".." && (name == "testdata" || name == "tools" || strings.HasPrefix(name, ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(fileSet, p, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("..", filepath.Dir(p))
		if err != nil {
			return err
		}
		dir := short(filepath.ToSlash(rel))
		if found[dir] == nil {
			found[dir] = &source{dir: dir, name: file.Name.Name}
		}
		return found[dir].add(file)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("no package found")
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *source) int { return strings.Compare(a.dir, b.dir) })
}

func (s *source) add(file *ast.File) error {
	s.files = append(s.files, file)
	if file.Doc != nil {
		s.comment = file.Doc.Text()
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		if !slices.Contains(s.imports, imported) {
			s.imports = append(s.imports, imported)
		}
	}
	return nil
}
