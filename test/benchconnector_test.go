package test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// tableReads are what applications ask of a table, with the order of magnitude of an answer.
var tableReads = []struct {
	name    string
	query   string
	most    int // of the number in the query
	atLeast int // rows
}{
	{"key", "?id=eq.%d", 50_000, 0},
	{"list", "?id=gt.%d&order=id&limit=100", 90_000, 100},
	{"page", "?id=gt.%d&order=id&limit=1000", 90_000, 1000},
}

// BenchmarkConnector measures how long reads through the connector take against the same ones of the Data API behind it. As
// a request goes through one more process then, a plain reverse proxy in the connector's place is measured, too: what
// stands there can hardly take less. One request is made at a time, and the ways take turns of a moment each, so that
// whatever else the machine does happens to all of them.
func BenchmarkConnector(b *testing.B) {
	b.Run("beside", func(b *testing.B) { compareWays(b, connectorWays(b, 0)) })
	// The workspace is another machine, 1 ms away or more, as the machine's clock has it.
	b.Run("away", func(b *testing.B) { compareWays(b, connectorWays(b, time.Millisecond)) })
}

// compareWays compares ways with the first of them.
func compareWays(b *testing.B, ways []way) {
	for _, read := range tableReads {
		b.Run(read.name, func(b *testing.B) {
			requests := make([]func() []byte, len(ways))
			for i, w := range ways {
				requests[i] = get(w.path+read.query, read.most, w.headers...)
				w.has(b, fmt.Sprintf(read.query, 1), read.atLeast)
			}
			p50, p99, busy := make([][]float64, len(ways)), make([][]float64, len(ways)), make([][]float64, len(ways))
			for range benchNumber("BENCH_ROUNDS", 5) {
				before := processorTimes(ways)
				all := inTurn(b, ways, requests)
				after := processorTimes(ways)
				for i, took := range all {
					const micro = 1e6
					p50[i], p99[i] = append(p50[i], quantile(took, 0.5)), append(p99[i], quantile(took, 0.99))
					busy[i] = append(busy[i], (after[i]-before[i])/float64(len(took))*micro)
				}
			}
			for i, w := range ways {
				b.ReportMetric(median(p50[i]), "ms_p50_"+w.name)
				b.ReportMetric(median(p99[i]), "ms_p99_"+w.name)
				if i > 0 {
					all := ratios(p50[i], p50[0])
					b.ReportMetric(median(all), "x_p50_"+w.name)
					b.ReportMetric(slices.Min(all), "x_least_"+w.name)
					b.ReportMetric(slices.Max(all), "x_most_"+w.name)
					b.ReportMetric(median(ratios(p99[i], p99[0])), "x_p99_"+w.name)
					b.ReportMetric(median(busy[i]), "us_"+w.name)
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// processorTimes are the seconds of processor time of what stands on the ways.
func processorTimes(ways []way) []float64 {
	out := make([]float64, len(ways))
	for i, w := range ways {
		_, out[i] = stat(w.pid)
	}
	return out
}

// inTurn measures all ways in turns, and returns how long requests took of each, in order.
func inTurn(b *testing.B, ways []way, requests []func() []byte) [][]time.Duration {
	b.Helper()
	const turn = 50 * time.Millisecond
	conns := make([]*kept, len(ways))
	for i, w := range ways {
		var err error
		if conns[i], err = dialKept(w.address); err != nil {
			b.Fatal(err)
		}
		defer func() { _ = conns[i].Close() }()
	}
	took := make([][]time.Duration, len(ways))
	turns := benchNumber("BENCH_SECONDS", 2) * int(time.Second/turn)
	for range turns {
		for i := range ways {
			part, err := conns[i].askUntil(requests[i], time.Now().Add(turn))
			if err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], part...)
		}
	}
	for i := range took {
		slices.Sort(took[i])
	}
	return took
}

func ratios(of, to []float64) []float64 {
	out := make([]float64, len(of))
	for i := range of {
		out[i] = of[i] / to[i]
	}
	return out
}

// way is one of those by which a request reaches a table.
type way struct {
	name, address, path string
	headers             []string
	pid                 int // of what stands on it
}

// has makes sure that a request brings what it is thought to.
func (w way) has(b *testing.B, query string, rows int) {
	b.Helper()
	headers := make([]string, 0, 2*len(w.headers))
	for _, h := range w.headers {
		name, value, _ := strings.Cut(h, ": ")
		headers = append(headers, name, value)
	}
	var got []any
	decode(b, ask(b, "GET", "http://"+w.address+w.path+query, "", headers...), http.StatusOK, &got)
	if len(got) < rows {
		b.Fatalf("%s: %d rows", w.name, len(got))
	}
}

// connectorWays starts a workspace with a synced table, and returns the way straight to it, that through the connector of
// another Tarn, and that through a reverse proxy. Each process has a session of its own. The workspace is as far away from
// all of them.
func connectorWays(b *testing.B, away time.Duration) []way {
	b.Helper()
	workspace := serveApart(b, "--sample")
	address := strings.TrimPrefix(workspace.url, "http://")
	customer := workspace.adminToken(b)
	principal, secret := workspace.servicePrincipal(b, customer, "customer")
	workspace.syncedItems(b, customer, principal)

	if away > 0 {
		address = delayedTo(b, "tcp", address, away/2)
	}
	c := serveApart(b, "--outbound", "http://"+address)
	admin := c.adminToken(b)
	app, appSecret := c.servicePrincipal(b, admin, "app")
	for name, value := range map[string]string{"id": principal, "secret": secret} {
		body, err := json.Marshal(map[string]string{"value": value})
		if err != nil {
			b.Fatal(err)
		}
		var kept map[string]any
		decode(b, c.call(b, admin, "PUT", "/api/2.0/tarn/vault/apps/"+app+"/credentials/"+name, string(body)), http.StatusOK, &kept)
	}

	const rest = "/api/2.0/workspace/0/rest/databricks_postgres/public/items"
	own := []string{"Authorization: Bearer " + workspace.oauthToken(b, principal, secret, "all-apis")}
	proxy, pid := proxyApart(b, "http://"+address)
	return []way{
		{"direct", address, rest, own, workspace.cmd.Process.Pid},
		{
			"connector", strings.TrimPrefix(c.url, "http://"), "/public/api/databricks-postgrest/v1beta1/table-data/" + address + "/main/items",
			[]string{
				"Authorization: Bearer " + c.oauthToken(b, app, appSecret, "table-data"), "Accept-Profile: public",
				"x-client-id-key-name: id", "x-client-secret-key-name: secret", "x-allow-use-app-secret: true",
			},
			c.cmd.Process.Pid,
		},
		{"proxy", proxy, rest, own, pid},
	}
}

// serveApart starts a server on a directory of its own, in a session of its own, without limits of rates.
func serveApart(b *testing.B, args ...string) *tarn {
	b.Helper()
	dir, listen, admin := dataDir(b), freeAddress(b), freeAddress(b)
	s := startApart(b, nil, append([]string{
		"serve", "--data-dir", dir, "--listen", listen, "--admin-listen", admin, "--rate-limit", "0", "--log-level", "error",
	}, args...)...)
	s.dir, s.url, s.admin = dir, "http://"+listen, "http://"+admin
	s.waitReady(b)
	return s
}

// proxyTo is the variable that has this program be a reverse proxy: "LISTEN URL".
const proxyTo = "TARN_BENCH_PROXY"

// proxyApart starts a reverse proxy as a process of its own, and returns its address and its process.
func proxyApart(b *testing.B, to string) (address string, pid int) {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	address = freeAddress(b)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), proxyTo+"="+address+" "+to)
	apart(cmd)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			return address, cmd.Process.Pid
		}
		if time.Now().After(deadline) {
			b.Fatal(err)
		}
	}
}

// beProxy is what the reverse proxy's process does.
func beProxy(what string) error {
	address, to, _ := strings.Cut(what, " ")
	target, err := url.Parse(to)
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{DisableCompression: true},
	}
	return (&http.Server{Addr: address, Handler: proxy, ReadHeaderTimeout: 10 * time.Second}).ListenAndServe()
}
