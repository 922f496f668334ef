package server

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tarn-data/tarn/internal/dataapi"
	"github.com/tarn-data/tarn/internal/token"
)

// engines are the engines that are served, by database; a single one has no name.
type engines func(visit func(database string, e *dataapi.Engine))

// dataAPICollector renders the figures of engines under PostgREST's names. The label database is there only where one
// process serves several.
type dataAPICollector struct {
	each   engines
	tokens *token.Stats
	labels []string
	desc   map[string]*prometheus.Desc
}

func newDataAPICollector(each engines, tokens *token.Stats, named bool) *dataAPICollector {
	c := &dataAPICollector{each: each, tokens: tokens, desc: map[string]*prometheus.Desc{}}
	if named {
		c.labels = []string{"database"}
	}
	add := func(name, help string, labels ...string) {
		c.desc[name] = prometheus.NewDesc(name, help, labels, nil)
	}
	add("pgrst_db_pool_timeouts_total", "The total number of pool connection timeouts", c.labels...)
	add("pgrst_db_pool_available", "Available connections in the pool", c.labels...)
	add("pgrst_db_pool_waiting", "Requests waiting to acquire a pool connection", c.labels...)
	add("pgrst_db_pool_max", "Max pool connections", c.labels...)
	add("tarn_db_pool_slow", "Pool connections in use for requests that are not known to be fast", c.labels...)
	add("tarn_db_pool_slow_max", "Max pool connections for requests that are not known to be fast", c.labels...)
	add("tarn_db_pool_shared", "Connections that brief reads share", c.labels...)
	add("tarn_db_pool_slow_waiting", "Waiting requests that are not known to be fast", c.labels...)
	replica := append([]string{"replica"}, c.labels...)
	add("tarn_replica_state", "Whether a replica is in the state", append([]string{"state"}, replica...)...)
	add("tarn_replica_lag_seconds", "How far a replica is behind the primary server", replica...)
	add("tarn_replica_reads_total", "The total number of reads that a replica answered", replica...)
	add("tarn_replica_retries_total", "The total number of reads that failed on a replica and were given to the primary server", replica...)
	add("tarn_replica_pool_in_use", "Connections to a replica in use", replica...)
	add("tarn_replica_pool_waiting", "Requests waiting to acquire a connection to a replica", replica...)
	add("pgrst_schema_cache_loads_total", "The total number of times the schema cache was loaded", append([]string{"status"}, c.labels...)...)
	add("pgrst_schema_cache_query_time_seconds", "The query time in seconds of the last schema cache load", c.labels...)
	add("pgrst_jwt_cache_requests_total", "The total number of JWT cache lookups")
	add("pgrst_jwt_cache_hits_total", "The total number of JWT cache hits")
	add("pgrst_jwt_cache_evictions_total", "The total number of JWT cache evictions")
	return c
}

// Describe implements prometheus.Collector.
func (c *dataAPICollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.desc {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *dataAPICollector) Collect(ch chan<- prometheus.Metric) {
	send := func(name string, t prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(c.desc[name], t, v, labels...)
	}
	c.each(func(database string, e *dataapi.Engine) {
		var labels []string
		if c.labels != nil {
			labels = []string{database}
		}
		pool := e.Pool().Stat()
		send("pgrst_db_pool_timeouts_total", prometheus.CounterValue, float64(e.Stats.PoolTimeouts.Load()), labels...)
		send("pgrst_db_pool_available", prometheus.GaugeValue, float64(pool.Open-pool.InUse), labels...)
		send("pgrst_db_pool_waiting", prometheus.GaugeValue, float64(pool.Waiting), labels...)
		send("pgrst_db_pool_max", prometheus.GaugeValue, float64(pool.Max), labels...)
		send("tarn_db_pool_slow", prometheus.GaugeValue, float64(pool.Slow), labels...)
		send("tarn_db_pool_slow_max", prometheus.GaugeValue, float64(pool.SlowMax), labels...)
		send("tarn_db_pool_shared", prometheus.GaugeValue, float64(pool.Lent), labels...)
		send("tarn_db_pool_slow_waiting", prometheus.GaugeValue, float64(pool.SlowWaiting), labels...)
		for _, r := range e.Replicas().Stat() {
			of := append([]string{r.Name}, labels...)
			send("tarn_replica_state", prometheus.GaugeValue, 1, append([]string{r.State.String()}, of...)...)
			send("tarn_replica_lag_seconds", prometheus.GaugeValue, r.Lag.Seconds(), of...)
			send("tarn_replica_reads_total", prometheus.CounterValue, float64(r.Reads), of...)
			send("tarn_replica_retries_total", prometheus.CounterValue, float64(r.Given), of...)
			send("tarn_replica_pool_in_use", prometheus.GaugeValue, float64(r.Pool.InUse), of...)
			send("tarn_replica_pool_waiting", prometheus.GaugeValue, float64(r.Pool.Waiting), of...)
		}
		send("pgrst_schema_cache_loads_total", prometheus.CounterValue, float64(e.Stats.Loads.Load()), append([]string{"SUCCESS"}, labels...)...)
		send("pgrst_schema_cache_loads_total", prometheus.CounterValue, float64(e.Stats.FailedLoads.Load()), append([]string{"FAIL"}, labels...)...)
		send("pgrst_schema_cache_query_time_seconds", prometheus.GaugeValue, time.Duration(e.Stats.LoadDuration.Load()).Seconds(), labels...)
	})
	send("pgrst_jwt_cache_requests_total", prometheus.CounterValue, float64(c.tokens.Lookups.Load()))
	send("pgrst_jwt_cache_hits_total", prometheus.CounterValue, float64(c.tokens.Hits.Load()))
	send("pgrst_jwt_cache_evictions_total", prometheus.CounterValue, float64(c.tokens.Evictions.Load()))
}

// metricsHandler renders all figures for Prometheus.
func metricsHandler(all ...prometheus.Collector) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(all...)
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}
