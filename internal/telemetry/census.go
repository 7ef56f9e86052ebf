package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Census counts what a node has at one moment.
type Census struct {
	Environments map[string]int // by state: ready, idle, frozen, busy
	Instances    map[string]int // by pool: warming, active
	// MemoryMB is what environments may take together, ReservedMB what they
	// have reserved, both in MiB.
	MemoryMB, ReservedMB int
	Functions            int
}

var (
	environments = prometheus.NewDesc("hearth_environments", "Environments, by state.", []string{"state"}, nil)
	instances    = prometheus.NewDesc("hearth_instances", "Instances, by pool.", []string{"pool"}, nil)
	memory       = prometheus.NewDesc("hearth_memory_bytes", "Memory that environments may take together.", nil, nil)
	reserved     = prometheus.NewDesc("hearth_memory_reserved_bytes", "Memory reserved by environments.", nil, nil)
	functions    = prometheus.NewDesc("hearth_functions", "Functions in the catalog.", nil, nil)
)

// Observe has take called whenever the metrics are asked for. It is called
// once, when the node is assembled.
func (m *Metrics) Observe(take func() Census) { m.registry.MustRegister(census(take)) }

// census is a collector.
type census func() Census

func (census) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{environments, instances, memory, reserved, functions} {
		out <- d
	}
}

func (take census) Collect(out chan<- prometheus.Metric) {
	c := take()
	gauge := func(d *prometheus.Desc, v int, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	for state, n := range c.Environments {
		gauge(environments, n, state)
	}
	for pool, n := range c.Instances {
		gauge(instances, n, pool)
	}
	gauge(memory, c.MemoryMB<<20)
	gauge(reserved, c.ReservedMB<<20)
	gauge(functions, c.Functions)
}
