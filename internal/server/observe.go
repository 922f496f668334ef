package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/telemetry"
)

// observer counts the calls of all APIs, and traces them if there is where to.
type observer struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	tracer   *telemetry.Tracer // nil for none
}

func newObserver(tracer *telemetry.Tracer) *observer {
	return &observer{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tarn_requests_total", Help: "The total number of requests",
		}, []string{"service", "action", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tarn_request_duration_seconds", Help: "How long it took to answer",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"service", "action"}),
		tracer: tracer,
	}
}

// count counts a request.
func (o *observer) count(service, action string, status int, took time.Duration) {
	o.requests.WithLabelValues(service, action, statusText(status)).Inc()
	o.duration.WithLabelValues(service, action).Observe(took.Seconds())
}

// statusText is a status as a label.
func statusText(status int) string {
	switch status {
	case http.StatusOK:
		return "200"
	case http.StatusCreated:
		return "201"
	case http.StatusNoContent:
		return "204"
	}
	return strconv.Itoa(status)
}

// methodLabel is a method as a label. Clients may make methods up, but not labels.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// Begin implements gateway.Observer.
func (o *observer) Begin(r *http.Request, c *endpoint.Call) (ctx context.Context, end func()) {
	if o.tracer == nil {
		return r.Context(), func() { o.count(c.Route.Service, c.Route.Action, c.Status, c.Latency) }
	}
	ctx, span := o.tracer.Start(r, c.Route.Service+"."+c.Route.Action)
	return ctx, func() {
		o.count(c.Route.Service, c.Route.Action, c.Status, c.Latency)
		out := telemetry.Outcome{
			RequestID: c.ID, Route: c.Route.Path, Service: c.Route.Service, Action: c.Route.Action,
			Source: c.Source, UserAgent: c.UserAgent, Status: c.Status,
		}
		if c.Account != nil {
			out.Principal = c.Account.Name
		}
		if c.Err != nil {
			out.Code = endpoint.PlatformCode(fault.From(c.Err))
		}
		span.End(&out)
	}
}

// dataAPI observes requests of the Data API. A request costs it no more than what is below, as long as nobody traces.
func (o *observer) dataAPI(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := observed{ResponseWriter: w}
		start, action := time.Now(), methodLabel(r.Method)
		if o.tracer == nil {
			defer func() { o.count(dataAPIService, action, seen.answered(), time.Since(start)) }() // also of answers that are cut off
			next.ServeHTTP(&seen, r)
			return
		}
		id, source, agent, path := w.Header().Get("X-Request-Id"), remoteAddress(r), r.UserAgent(), r.Pattern
		ctx, span := o.tracer.Start(r, dataAPIService+"."+action)
		defer func() {
			o.count(dataAPIService, action, seen.answered(), time.Since(start))
			span.End(&telemetry.Outcome{
				RequestID: id, Route: path, Service: dataAPIService, Action: action, Principal: seen.role,
				Source: source, UserAgent: agent, Status: seen.answered(),
			})
		}()
		next.ServeHTTP(&seen, r.WithContext(ctx))
	})
}

// observed is a response writer that takes note of the status and the role.
type observed struct {
	http.ResponseWriter
	status int
	role   string
}

// SetRole takes note of the role, and passes it on.
func (w *observed) SetRole(role string) {
	w.role = role
	if t, ok := w.ResponseWriter.(interface{ SetRole(role string) }); ok {
		t.SetRole(role)
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *observed) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *observed) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *observed) answered() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

// guardsCollector renders the figures of the guards.
type guardsCollector struct {
	guards *guards
	desc   map[string]*prometheus.Desc
}

func newGuardsCollector(g *guards) *guardsCollector {
	c := &guardsCollector{guards: g, desc: map[string]*prometheus.Desc{}}
	add := func(name, help string, labels ...string) { c.desc[name] = prometheus.NewDesc(name, help, labels, nil) }
	add("tarn_rate_limit_decisions_total", "The total number of requests that rate limits admitted or refused", "decision")
	add("tarn_rate_limit_buckets", "Buckets of rate limits in memory")
	add("tarn_rate_limit_processes", "Processes that share rate limits")
	add("tarn_rate_limit_settlements_total", "The total number of settlements with the shared buckets", "status")
	add("tarn_ip_access_refused_total", "The total number of requests that IP access lists refused")
	return c
}

// Describe implements prometheus.Collector.
func (c *guardsCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.desc {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *guardsCollector) Collect(ch chan<- prometheus.Metric) {
	send := func(name string, kind prometheus.ValueType, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(c.desc[name], kind, value, labels...)
	}
	l := c.guards.limiter
	send("tarn_rate_limit_decisions_total", prometheus.CounterValue, float64(l.Stats.Admitted.Load()), "admitted")
	send("tarn_rate_limit_decisions_total", prometheus.CounterValue, float64(l.Stats.Refused.Load()), "refused")
	send("tarn_rate_limit_buckets", prometheus.GaugeValue, float64(l.Buckets()))
	send("tarn_rate_limit_processes", prometheus.GaugeValue, float64(l.Processes()))
	failed := l.Stats.FailedSettling.Load()
	send("tarn_rate_limit_settlements_total", prometheus.CounterValue, float64(l.Stats.Settlements.Load()-failed), "success")
	send("tarn_rate_limit_settlements_total", prometheus.CounterValue, float64(failed), "fail")
	send("tarn_ip_access_refused_total", prometheus.CounterValue, float64(c.guards.gate.Refused.Load()))
}
