// Package telemetry provides traces of calls, which it sends to a collector by OTLP. It knows nothing of what the calls do.
package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	spans "go.opentelemetry.io/otel/trace"
)

// Options say where traces go.
type Options struct {
	Endpoint string // of the collector, such as http://127.0.0.1:4318
	Service  string // what this server is called in traces
	Version  string
	Log      *slog.Logger
}

// Tracer makes a span of each call. What share of them is kept, OTEL_TRACES_SAMPLER says, or who calls.
type Tracer struct {
	provider   *trace.TracerProvider
	tracer     spans.Tracer
	propagator propagation.TraceContext
}

// Open makes a tracer.
func Open(ctx context.Context, opt Options) (*Tracer, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimSuffix(opt.Endpoint, "/")+"/v1/traces"))
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithAttributes(
		attribute.String("service.name", opt.Service), attribute.String("service.version", opt.Version),
	), resource.WithFromEnv())
	if err != nil && about == nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { opt.Log.Warn("traces could not be sent", "error", err) }))
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/tarn-data/tarn")}, nil
}

// Close sends what is left.
func (t *Tracer) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// Start begins the span of a request. If the request has a traceparent, it belongs to that trace.
func (t *Tracer) Start(r *http.Request, name string) (context.Context, *Span) {
	ctx := t.propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(ctx, name, spans.WithSpanKind(spans.SpanKindServer))
	if span.IsRecording() {
		span.SetAttributes(attribute.String("http.request.method", r.Method), attribute.String("url.path", r.URL.Path))
	}
	return ctx, &Span{span}
}

// Span is what is known of one call.
type Span struct{ span spans.Span }

// Outcome is what became of a call.
type Outcome struct {
	RequestID string
	Route     string // its path, with the names of parameters
	Service   string
	Action    string
	Principal string
	Source    netip.Addr
	UserAgent string
	Status    int
	Code      string // of the error
}

// End ends the span.
func (s *Span) End(o *Outcome) {
	if s.span.IsRecording() {
		all := []attribute.KeyValue{
			attribute.Int("http.response.status_code", o.Status), attribute.String("tarn.request_id", o.RequestID),
			attribute.String("tarn.service", o.Service), attribute.String("tarn.action", o.Action),
		}
		for name, value := range map[string]string{
			"http.route": o.Route, "enduser.id": o.Principal, "user_agent.original": o.UserAgent, "error.type": o.Code,
		} {
			if value != "" {
				all = append(all, attribute.String(name, value))
			}
		}
		if o.Source.IsValid() {
			all = append(all, attribute.String("client.address", o.Source.String()))
		}
		s.span.SetAttributes(all...)
		if o.Status >= http.StatusInternalServerError {
			s.span.SetStatus(codes.Error, o.Code)
		}
	}
	s.span.End()
}
