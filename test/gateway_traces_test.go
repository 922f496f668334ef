package test

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// TestTraces has a collector receive the spans of both APIs.
func TestTraces(t *testing.T) {
	t.Parallel()
	var (
		mu    sync.Mutex
		spans = map[string]*trace.Span{}
	)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s %v", r.URL, r.Header, err)
		}
		var sent collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &sent); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, rs := range sent.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					spans[s.GetName()] = s
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer receiver.Close()
	db := pgtest.New(t)
	s := serve(t, dataDir(t), "--postgres", db.URL, "--state", db.URL, "--otlp-endpoint", receiver.URL)
	const traceID, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	ask(t, http.MethodGet, s.url+discoveryPath, "", "traceparent", "00-"+traceID+"-"+parent+"-01", "X-Request-Id", "traced-1")
	ask(t, http.MethodGet, s.url+restPath+"/secret?token=hidden", "")
	ask(t, "BREW", s.url+restPath+"/coffee", "")

	figures := ask(t, http.MethodGet, s.admin+"/metrics", "").body
	for _, line := range []string{
		`tarn_requests_total{action="getConfig",service="discovery",status="200"} 1`,
		`tarn_request_duration_seconds_count{action="getConfig",service="discovery"} 1`,
		`tarn_requests_total{action="GET",service="dataApi",status="401"} 1`,
		`tarn_requests_total{action="other",service="dataApi",status="401"} 1`,
		`tarn_rate_limit_decisions_total{decision="admitted"} 1`,
		`tarn_rate_limit_processes 1`,
	} {
		if !strings.Contains(figures, line+"\n") {
			t.Errorf("figures have no %s", line)
		}
	}

	s.stop(t) // which sends what is left
	mu.Lock()
	defer mu.Unlock()
	span := spans["discovery.getConfig"]
	if span == nil || hex.EncodeToString(span.GetTraceId()) != traceID || hex.EncodeToString(span.GetParentSpanId()) != parent {
		t.Fatalf("the span is %v among %v", span, spans)
	}
	got := map[string]string{}
	for _, a := range span.GetAttributes() {
		got[a.GetKey()] = a.GetValue().GetStringValue()
	}
	if got["tarn.request_id"] != "traced-1" || got["http.route"] != discoveryPath || got["client.address"] != "127.0.0.1" {
		t.Errorf("attributes %v", got)
	}
	data := spans["dataApi.GET"]
	if data == nil || data.GetKind() != trace.Span_SPAN_KIND_SERVER {
		t.Fatalf("the span of the Data API is %v", data)
	}
	if strings.Contains(data.String(), "hidden") {
		t.Errorf("the span tells the query: %v", data)
	}
}
