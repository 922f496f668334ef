package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/gateway"
)

// TestOutcomes has a gateway without anybody to authenticate answer what goes wrong.
func TestOutcomes(t *testing.T) {
	type color string
	type input struct {
		Color color `json:"color"`
		Count int   `json:"count"`
	}
	paint := endpoint.JSON(func(_ context.Context, in input) (input, error) {
		return in, endpoint.Enum("color", in.Color, "RED", "BLUE")
	})
	row := func(method, path string, do endpoint.Function) endpoint.Route {
		return endpoint.Route{Method: method, Path: path, Service: "test", Action: path[1:], Access: endpoint.Anyone, Do: do}
	}
	fails := func(f func(ctx context.Context) error) endpoint.Function {
		return endpoint.JSON(func(ctx context.Context, _ endpoint.None) (endpoint.None, error) { return endpoint.None{}, f(ctx) })
	}
	slow := row(http.MethodGet, "/slow", fails(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }))
	slow.Timeout = 10 * time.Millisecond
	small := row(http.MethodPost, "/small", paint)
	small.MaxBody = 20
	older := row(http.MethodPost, "/api/2.1/paint", paint)
	older.Also = []string{"/api/2.0/paint", "/api/1.2/paint"}
	users := row(http.MethodGet, "/users", paint)
	users.Access = endpoint.Users
	g, err := gateway.New(gateway.Options{
		Routes: []endpoint.Route{
			slow, small, older, users,
			row(http.MethodGet, "/panic", fails(func(context.Context) error { panic("secret") })),
			row(http.MethodGet, "/broken", fails(func(context.Context) error { return errors.New("secret") })),
		},
		Now: time.Now, NewID: func() string { return "made" }, Source: func(*http.Request) netip.Addr { return netip.Addr{} },
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		request, body string
		status        int
		want          string // error_code, or a part of the body
	}{
		{"GET /slow", "", 504, "DEADLINE_EXCEEDED"},
		{"GET /panic", "", 500, "INTERNAL_ERROR"},
		{"GET /broken", "", 500, "INTERNAL_ERROR"},
		{"GET /users", "", 401, "UNAUTHENTICATED"},
		{"GET /nothing", "", 404, "ENDPOINT_NOT_FOUND"},
		{"PUT /slow", "", 404, "ENDPOINT_NOT_FOUND"},
		{"POST /small", `{"color": "RED", "count": 1, "more": 2}`, 413, "MAX_REQUEST_SIZE_EXCEEDED"},
		{"POST /api/2.1/paint", `{"color": "RED", "unknown": {"a": []}}`, 200, `"RED"`},
		{"POST /api/2.0/paint", `{"color": "RED"}`, 200, `"RED"`},
		{"POST /api/1.2/paint/", `{"color": "BLUE"}`, 200, `"BLUE"`},
		{"POST /api/2.2/paint", `{"color": "RED"}`, 404, "ENDPOINT_NOT_FOUND"},
		{"POST /api/2.1/paint", `{"color": "GREEN"}`, 400, "INVALID_PARAMETER_VALUE"},
		{"POST /api/2.1/paint", `{"count": "many"}`, 400, "MALFORMED_REQUEST"},
		{"POST /api/2.1/paint", `{"color": `, 400, "MALFORMED_REQUEST"},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(c.body)))
		var fault struct {
			Code string `json:"error_code"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &fault); err != nil {
			t.Errorf("%s: %v", c.request, err)
		}
		if w.Code != c.status || fault.Code != c.want && !strings.Contains(w.Body.String(), c.want) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s %s: %d %s", c.request, c.body, w.Code, w.Body)
		}
		if w.Header().Get("X-Request-Id") != "made" {
			t.Errorf("%s: request id %q", c.request, w.Header().Get("X-Request-Id"))
		}
	}
}
