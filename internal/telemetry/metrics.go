package telemetry

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hearthd/hearth/internal/function"
)

// MaxFunctions is how many functions have metrics of their own, the first
// invoked since the node's start; the others are counted as function "other".
const MaxFunctions = 500

// The ways in which an environment for a cold start came to be, quickest first.
const (
	ColdPrebooted = "prebooted" // it was pre-booted and got the function's code
	ColdBooted    = "booted"    // it was booted for the function
)

// Metrics are the node's metrics. All methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	invocations, errors, timeouts, throttles *prometheus.CounterVec
	durations                                *prometheus.HistogramVec
	coldStarts                               *prometheus.CounterVec
	inits                                    prometheus.Histogram
	boots                                    *prometheus.CounterVec
	bootTimes                                *prometheus.HistogramVec
	grown, grownMB                           prometheus.Counter

	mu        sync.Mutex                                        // for adding to functions
	functions atomic.Pointer[map[function.Key]*FunctionMetrics] // copied on write
	other     *FunctionMetrics
}

// FunctionMetrics are the metrics of one function.
type FunctionMetrics struct {
	invocations, errors, timeouts, throttles prometheus.Counter
	duration, init                           prometheus.Observer
}

// NewMetrics returns the metrics, all zero, those of the Go runtime and the
// process among them.
func NewMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	perFunction := []string{"account", "function"}
	counter := func(name, help string, labels []string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "hearth", Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64, labels []string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "hearth", Name: name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(h)
		return h
	}
	m.invocations = counter("invocations_total", "Invocations that ran.", perFunction)
	m.errors = counter("errors_total", "Invocations that ended with an error of the function's, time-outs among them.", perFunction)
	m.timeouts = counter("timeouts_total", "Invocations that timed out.", perFunction)
	m.throttles = counter("throttles_total", "Invocations refused because of a concurrency limit.", perFunction)
	m.durations = histogram("duration_seconds", "Duration of invocations, as the REPORT line says it.",
		[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5, 30, 300}, perFunction)
	m.inits = histogram("init_duration_seconds", "Duration of initialisations.",
		[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}, nil).WithLabelValues().(prometheus.Histogram)
	m.coldStarts = counter("cold_starts_total", "Environments made for an invocation that found none idle, by where they came from.", []string{"kind"})
	m.boots = counter("boots_total", "Environments booted, by runtime and result.", []string{"runtime", "result"})
	m.bootTimes = histogram("boot_seconds", "Time to boot an environment up to the point where only the code is missing.",
		[]float64{.005, .01, .02, .03, .05, .075, .1, .2, .5, 1, 5}, []string{"runtime"})
	m.grown = counter("grown_total", "Times that a running environment was given more memory in place.", nil).WithLabelValues()
	m.grownMB = counter("grown_megabytes_total", "Memory that running environments were given in place, in MiB.", nil).WithLabelValues()
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.functions.Store(&map[function.Key]*FunctionMetrics{})
	m.other = m.resolve("", "other")
	return m
}

func (m *Metrics) resolve(account, name string) *FunctionMetrics {
	return &FunctionMetrics{
		invocations: m.invocations.WithLabelValues(account, name),
		errors:      m.errors.WithLabelValues(account, name),
		timeouts:    m.timeouts.WithLabelValues(account, name),
		throttles:   m.throttles.WithLabelValues(account, name),
		duration:    m.durations.WithLabelValues(account, name),
		init:        m.inits,
	}
}

// Function returns the metrics of the revision's function. It takes no lock
// and allocates nothing after the first time.
func (m *Metrics) Function(rev *function.Revision) *FunctionMetrics {
	known := *m.functions.Load()
	if f, ok := known[rev.Key]; ok {
		return f
	}
	if len(known) >= MaxFunctions {
		return m.other
	}
	return m.add(rev.Key)
}

func (m *Metrics) add(key function.Key) *FunctionMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := *m.functions.Load()
	if f, ok := known[key]; ok {
		return f
	}
	if len(known) >= MaxFunctions {
		return m.other
	}
	next := make(map[function.Key]*FunctionMetrics, len(known)+1)
	for k, f := range known {
		next[k] = f
	}
	f := m.resolve(string(key.Account), key.Name)
	next[key] = f
	m.functions.Store(&next)
	return f
}

// Invoked counts an invocation that ran; failed says that its answer was an
// error of the function's.
func (f *FunctionMetrics) Invoked(r *Report, failed bool) {
	f.invocations.Inc()
	f.duration.Observe(r.Duration.Seconds())
	if failed {
		f.errors.Inc()
	}
	if r.Status == StatusTimeout {
		f.timeouts.Inc()
	}
	if r.Init > 0 {
		f.init.Observe(r.Init.Seconds())
	}
}

// Throttled counts an invocation that a concurrency limit refused.
func (f *FunctionMetrics) Throttled() { f.throttles.Inc() }

// ColdStart counts an environment that was made for an invocation; kind is one
// of the Cold constants.
func (m *Metrics) ColdStart(kind string) { m.coldStarts.WithLabelValues(kind).Inc() }

// Booted counts an environment that was booted, or could not be.
func (m *Metrics) Booted(runtime string, took time.Duration, err error) {
	if err != nil {
		m.boots.WithLabelValues(runtime, "failed").Inc()
		return
	}
	m.boots.WithLabelValues(runtime, "ok").Inc()
	m.bootTimes.WithLabelValues(runtime).Observe(took.Seconds())
}

// Grown counts a running environment that was given mb MiB more.
func (m *Metrics) Grown(mb int) {
	m.grown.Inc()
	m.grownMB.Add(float64(mb))
}

// Handler serves the metrics in Prometheus' format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
