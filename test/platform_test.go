package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tarn-data/tarn/internal/pg/embedded"
)

// databricksPy is the Databricks SDK for Python, tested by Python's own test runner.
var databricksPy = client{
	name:     "databricks-sdk-py",
	language: "python",
	folder:   "clients/databricks-py",
	program:  "python3",
	manifest: []string{"requirements.txt"},
	install: []string{"python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries=1",
		"--only-binary=:all:", "--requirement=requirements.txt", "--target=site-packages"},
	modules: "site-packages",
	environ: []string{"PYTHONPATH=site-packages", "PYTHONNOUSERSITE=1"},
	eval:    []string{"python3", "-"},
	test:    []string{"python3", "-m", "unittest", "discover", "--pattern=*_test.py"},
}

// databricksJS are the Databricks SDK for JavaScript and its Lakebase driver, tested by Node's own test runner.
var databricksJS = client{
	name:     "databricks-sdk-js",
	language: "js",
	folder:   "clients/databricks-js",
	program:  "node",
	manifest: []string{"package.json", "package-lock.json"},
	install: []string{"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
		"--fetch-retries=2", "--fetch-retry-mintimeout=500"},
	modules: "node_modules",
	eval:    []string{"node", "--input-type=module"},
	test:    []string{"node", "--test-reporter=spec", "all.mjs"},
}

// TestDatabricksClients has clients of Databricks' platform use Tarn's.
func TestDatabricksClients(t *testing.T) {
	clients := installed(t, databricksPy, databricksJS)
	s := serve(t, dataDir(t), "--sample")
	admin := s.adminToken(t)
	id, secret := s.servicePrincipal(t, admin, "clients")
	address, err := embedded.Locate(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	environ := []string{
		"TARN_POSTGRES_URL=" + address.HostURL("databricks_postgres"),
		"TARN_URL=" + s.url, "TARN_TOKEN=" + admin, "TARN_CLIENT_ID=" + id, "TARN_CLIENT_SECRET=" + secret,
		"DATABRICKS_CONFIG_FILE=/dev/null", "HOME=" + t.TempDir(),
	}
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) { c.run(t, environ, "", c.test...) })
	}
}

// httpie is HTTPie's command line, with Python's requests on which it stands.
var httpie = client{
	name:     "httpie",
	language: "python",
	folder:   "clients/httpie",
	program:  "python3",
	manifest: []string{"requirements.txt"},
	install: []string{"python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries=1",
		"--only-binary=:all:", "--requirement=requirements.txt", "--target=site-packages"},
	modules: "site-packages",
	environ: []string{"PYTHONPATH=site-packages", "PYTHONNOUSERSITE=1"},
	eval:    []string{"python3", "-"},
}

// TestPlatformByHand follows the reference's ways of calling: with a .netrc file, a query string, and data that becomes one; by
// curl, by HTTPie and by Python's requests.
func TestPlatformByHand(t *testing.T) {
	t.Parallel()
	s := serve(t, dataDir(t))
	home := t.TempDir()
	netrc := "machine " + strings.Split(strings.TrimPrefix(s.url, "http://"), ":")[0] + "\nlogin token\npassword " + s.adminToken(t) + "\n"
	if err := os.WriteFile(filepath.Join(home, ".netrc"), []byte(netrc), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"HOME=" + home, "HOST=" + s.url}
	for _, c := range []struct{ command, want string }{
		{`curl --netrc -X GET $HOST/api/2.0/preview/scim/v2/Me`, `"admins"`},
		{`curl --netrc "$HOST/api/2.0/preview/scim/v2/Groups?filter=displayName+eq+%22admins%22"`, `"totalResults":1`},
		{`curl --netrc --get $HOST/api/2.0/preview/scim/v2/Users --data count=1`, `"itemsPerPage":1`},
		{`curl --netrc -X POST $HOST/api/2.0/token/create -d '{ "comment": "by curl", "lifetime_seconds": 60 }'`, `"token_value":"dapi`},
		{`curl --netrc $HOST/api/2.0/token/list`, `"by curl"`},
		{`curl --netrc --get $HOST/api/2.0/tarn/audit --data service_name=tokens --data action_name=create --data max_results=1`, `"statusCode":200`},
		{`curl $HOST/api/2.0/token/list`, `"error_code":"UNAUTHENTICATED"`},
		{`curl --netrc $HOST/api/2.0/nothing`, `"error_code":"ENDPOINT_NOT_FOUND"`},
	} {
		out := script(t, home, environ, "", "bash", "-c", strings.Replace(c.command, "curl ", "curl -sS ", 1))
		if !strings.Contains(strings.ReplaceAll(out, `": `, `":`), c.want) {
			t.Errorf("%s: wanted %s, got %s", c.command, c.want, out)
		}
	}
	t.Run("HTTPie", func(t *testing.T) {
		here := installed(t, httpie)[0]
		for _, c := range []struct{ command, want string }{
			{`https GET $HOST/api/2.0/preview/scim/v2/Me`, `"admins"`},
			{`https $HOST/api/2.0/preview/scim/v2/Users count==1`, `"itemsPerPage":1`},
			{`https GET $HOST/api/2.0/preview/scim/v2/Groups filter=='displayName eq "admins"'`, `"totalResults":1`},
			{`https POST $HOST/api/2.0/token/create comment="by HTTPie" lifetime_seconds:=60`, `"token_value":"dapi`},
			{`https $HOST/api/2.0/token/list`, `"by HTTPie"`},
			{`https GET $HOST/api/2.0/tarn/audit service_name=tokens action_name=list max_results:=1`, `"actionName":"list"`}, // a body of a GET
			{`https $HOST/api/2.0/nothing`, `"error_code":"ENDPOINT_NOT_FOUND"`},
		} {
			command := strings.Replace(c.command, "https ", "python3 -m httpie --ignore-stdin --body --pretty=none --default-scheme=http ", 1)
			out := here.run(t, environ, "", "bash", "-c", command)
			if !strings.Contains(strings.ReplaceAll(out, `": `, `":`), c.want) {
				t.Errorf("%s: wanted %s, got %s", c.command, c.want, out)
			}
		}
		out := here.run(t, environ, `
import json, os, requests
response = requests.get(url=os.environ["HOST"] + "/api/2.0/preview/scim/v2/Users", params={"count": 1, "attributes": "userName"})
print(json.dumps(json.loads(response.text), indent=2))
`, here.eval...)
		if !strings.Contains(out, `"userName": "admin"`) {
			t.Error(out)
		}
	})
}
