package connection_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// office is a workspace with a SQL warehouse, which answers as the public reference of statements and warehouses says.
type office struct {
	state    string // of the warehouse
	refuses  string // what it says to a statement instead of running it
	pending  int    // how often a statement is asked for until it is run
	running  int    // and how often until it ends
	ends     string // how a statement ends
	deadlock bool   // whether it refuses to cancel

	mu         sync.Mutex
	statements map[string]int // how often each was asked for
	cancelled  []string
	wrong      []string // what was asked in a way that the reference doesn't have
}

func (o *office) start(t *testing.T) string {
	t.Helper()
	o.statements = map[string]int{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oidc/v1/token", goodToken)
	mux.HandleFunc("POST /api/2.0/sql/statements", o.execute)
	mux.HandleFunc("GET /api/2.0/sql/statements/{id}", o.get)
	mux.HandleFunc("POST /api/2.0/sql/statements/{id}/cancel", o.cancel)
	mux.HandleFunc("GET /api/2.0/sql/warehouses/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != "ab1c2d3ef5g6h7i8" {
			says(http.StatusNotFound, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"SQL warehouse does not exist."}`)(w, r)
			return
		}
		says(http.StatusOK, `{"id":"ab1c2d3ef5g6h7i8","name":"small","state":"`+o.state+`"}`)(w, r)
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if strings.HasPrefix(r.URL.Path, "/api/") && r.Header.Get("Authorization") != "Bearer good" {
			o.wrong = append(o.wrong, "authorization of "+r.URL.Path)
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func (o *office) execute(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Statement string `json:"statement"`
		Warehouse string `json:"warehouse_id"`
		Wait      string `json:"wait_timeout"`
		Then      string `json:"on_wait_timeout"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Statement != "SELECT 1" || in.Then != "CONTINUE" {
		o.wrong = append(o.wrong, fmt.Sprint("statement ", in, err))
	}
	if wait, err := time.ParseDuration(in.Wait); err != nil || wait != 0 && (wait < 5*time.Second || wait > 50*time.Second) {
		o.wrong = append(o.wrong, "wait_timeout "+in.Wait)
	}
	switch {
	case in.Warehouse != "ab1c2d3ef5g6h7i8":
		says(http.StatusNotFound, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"SQL warehouse does not exist."}`)(w, r)
	case o.refuses != "":
		says(http.StatusBadRequest, o.refuses)(w, r)
	default:
		id := fmt.Sprintf("01f0-%d", len(o.statements))
		o.statements[id] = 0
		o.tell(w, r, id)
	}
}

// tell says what has become of a statement.
func (o *office) tell(w http.ResponseWriter, r *http.Request, id string) {
	status := o.ends
	switch asked := o.statements[id]; {
	case asked < o.pending:
		status = `{"state":"PENDING"}`
	case asked < o.pending+o.running:
		status = `{"state":"RUNNING"}`
	}
	says(http.StatusOK, `{"statement_id":"`+id+`","status":`+status+`}`)(w, r)
}

func (o *office) get(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, ok := o.statements[id]; !ok {
		o.wrong = append(o.wrong, "unknown statement "+id)
		says(http.StatusNotFound, `{"error_code":"NOT_FOUND","message":"The statement was not found."}`)(w, r)
		return
	}
	o.statements[id]++
	o.tell(w, r, id)
}

func (o *office) cancel(w http.ResponseWriter, r *http.Request) {
	if o.deadlock {
		says(http.StatusInternalServerError, `{"error_code":"INTERNAL_ERROR","message":"no"}`)(w, r)
		return
	}
	o.cancelled = append(o.cancelled, r.PathValue("id"))
	w.WriteHeader(http.StatusOK) // it has no body
}

// TestWarehouse: the last step of a test is taken at a warehouse.
func TestWarehouse(t *testing.T) {
	t.Parallel()
	const (
		succeeds = `{"state":"SUCCEEDED"}`
		failed   = "Connection failed: Unable to connect to SQL Warehouse: "
		forever  = 1000
	)
	cases := map[string]struct {
		office  *office
		message string
		asked   bool // whether the statement is asked for again
		cancels bool
	}{
		"runs":       {&office{state: "RUNNING", ends: succeeds}, "Connection successful", false, false},
		"closed":     {&office{state: "RUNNING", ends: `{"state":"CLOSED"}`}, "Connection successful", false, false},
		"starts":     {&office{state: "STARTING", pending: 1, running: 1, ends: succeeds}, "Connection successful", true, false},
		"fails":      {&office{state: "RUNNING", ends: `{"state":"FAILED","error":{"error_code":"BAD_REQUEST","message":"[CONFIG_NOT_AVAILABLE] no"}}`}, failed + "the statement is FAILED: BAD_REQUEST: [CONFIG_NOT_AVAILABLE] no", false, false},
		"fails late": {&office{state: "RUNNING", running: 1, ends: `{"state":"FAILED","error":{"error_code":"INTERNAL_ERROR","message":"lost"}}`}, failed + "the statement is FAILED: INTERNAL_ERROR: lost", true, false},
		"canceled":   {&office{state: "RUNNING", running: 1, ends: `{"state":"CANCELED"}`}, failed + "the statement is CANCELED", true, false},
		"stopped":    {&office{state: "STOPPED", refuses: `{"error_code":"BAD_REQUEST","message":"Warehouse ab1c2d3ef5g6h7i8 is stopped and may not be started."}`}, failed + "the workspace answered with status 400, BAD_REQUEST, Warehouse ab1c2d3ef5g6h7i8 is stopped and may not be started.", false, false},
		"never runs": {&office{state: "STARTING", pending: forever}, failed + "the statement was still PENDING when the time was up, and was cancelled; the warehouse is STARTING", true, true},
		"never ends": {&office{state: "RUNNING", running: forever}, failed + "the statement was still RUNNING when the time was up, and was cancelled; the warehouse is RUNNING", true, true},
		"won't stop": {&office{state: "RUNNING", running: forever, deadlock: true}, failed + "the statement was still RUNNING when the time was up, and could not be cancelled; the warehouse is RUNNING", true, false},
		"no id":      {&office{state: "RUNNING", refuses: "", ends: `{"state":"PENDING"},"statement_id":""`}, failed + "the warehouse doesn't say which statement it runs", false, false},
	}
	addresses, rules := map[string]string{}, []string{}
	for name := range cases {
		addresses[name] = cases[name].office.start(t)
		rules = append(rules, addresses[name])
	}
	w := newWorldOf(t, 5*time.Second, rules...)
	for name := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := cases[name]
			tenant := strings.ReplaceAll(name, " ", "-")
			w.must(t, "admin", http.MethodPost, reltio(tenant, combined), body("workspaceUrl", fmt.Sprintf("%q", addresses[name])))
			got := w.must(t, "admin", http.MethodPost, "/api/2.0/tarn/connections/"+tenant+"/databricks-connection-01/test", "")
			step, _ := got["failed_step"].(string)
			if got["message"] != c.message || got["connected"] != (c.message == "Connection successful") || (step == "warehouse") != (got["connected"] == false) {
				t.Error(got)
			}
			o := c.office
			o.mu.Lock()
			defer o.mu.Unlock()
			asked := 0
			for _, n := range o.statements {
				asked += n
			}
			if (asked > 0) != c.asked || (len(o.cancelled) > 0) != c.cancels || len(o.wrong) > 0 {
				t.Errorf("asked for %d times, cancelled %v, wrong %v", asked, o.cancelled, o.wrong)
			}
		})
	}
}
