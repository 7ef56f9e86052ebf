package sizing

import (
	"math"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

const (
	// DefaultMBPerCPU is how much memory comes with one CPU, as in Lambda.
	DefaultMBPerCPU = 1769
	// period is that of the kernel's CPU quota in milliseconds: what is used
	// within the first share of a period is never throttled.
	period = 100.0
	// curveLeast is how many executions a curve is drawn from.
	curveLeast = 20
	// measuredLeast is how many an amount needs to be called measured.
	measuredLeast = 10
)

// Point is one amount on the curve of durations and costs.
type Point struct {
	Memory function.MemoryMB `json:"memoryMB"`
	CPU    function.MemoryMB `json:"cpuMB"`
	// Mean and P95 are durations in milliseconds, GBSeconds what a thousand
	// executions cost.
	Mean      float64 `json:"meanMs"`
	P95       float64 `json:"p95Ms"`
	GBSeconds float64 `json:"gbSecondsPer1000"`
	// Measured is true when executions ran with that CPU.
	Measured bool `json:"measured"`
}

// durations is the model of how long an execution takes with a share of CPU:
//
//	d(c) = w + u/p + max(0, u - c·period)·max(0, 1/c - 1/p)
//
// u is the CPU time of an execution, p on how many CPUs at once it can use it
// (1 at least), w the rest, which no CPU shortens. All three are from what was
// seen: w = d - throttled - u/p. Where an amount was measured, the model is
// moved to go through what was measured.
type durations struct {
	u, p, w  float64
	mbPerCPU float64
	points   []measured // by CPU
	spread   float64    // of the 95th percentile over the mean
}

type measured struct {
	cpu   float64 // share
	scale float64 // measured over modelled
}

// model returns false when too little was seen.
func (v *Evidence) model(p *Policy) (durations, bool) {
	var n, time, busy, throttled float64
	var most *load
	for i := range v.loads {
		l := &v.loads[i]
		if l.n <= 0 {
			continue
		}
		n += l.n
		time += l.time
		busy += l.busy
		throttled += l.throttled
		if most == nil || l.n > most.n {
			most = l
		}
	}
	if most == nil || v.executions < curveLeast || n <= 0 || time <= 0 {
		return durations{}, false
	}
	m := durations{u: busy / n, p: 1, w: (time - throttled - busy) / n, mbPerCPU: DefaultMBPerCPU}
	if p.MBPerCPU > 0 {
		m.mbPerCPU = float64(p.MBPerCPU)
	}
	if m.w < 0 { // busy on more than one CPU at a time
		if running := (time - throttled) / n; running > 0 {
			m.p = m.u / running
		}
		m.w = 0
	}
	mean := most.time / most.n
	if m.spread = most.durations.quantile(durationMapping, 0.95) / mean; m.spread < 1 {
		m.spread = 1
	}
	for i := range v.loads {
		l := &v.loads[i]
		if l.n <= 0 || l.n/n*float64(v.executions) < measuredLeast {
			continue
		}
		c := m.share(l.cpu)
		at := measured{cpu: c, scale: l.time / l.n / m.raw(c)}
		at.scale = max(0.2, min(5, at.scale))
		i := 0
		for i < len(m.points) && m.points[i].cpu < c {
			i++
		}
		m.points = append(m.points[:i], append([]measured{at}, m.points[i:]...)...)
	}
	return m, true
}

// share is how many CPUs come with so much memory.
func (m *durations) share(cpu function.MemoryMB) float64 { return float64(cpu) / m.mbPerCPU }

func (m *durations) raw(c float64) float64 {
	throttled := max(0, m.u-c*period) * max(0, 1/c-1/m.p)
	return max(m.w+m.u/m.p+throttled, 1e-3)
}

// mean is the duration with a share of CPU, in milliseconds: the model,
// corrected by what was measured on either side.
func (m *durations) mean(c float64) float64 {
	scale := 1.0
	for i, at := range m.points {
		if c <= at.cpu || i == len(m.points)-1 {
			scale = at.scale
			if i > 0 && c < at.cpu {
				before := m.points[i-1]
				t := (math.Log(c) - math.Log(before.cpu)) / (math.Log(at.cpu) - math.Log(before.cpu))
				scale = before.scale + t*(at.scale-before.scale)
			}
			break
		}
	}
	return m.raw(c) * scale
}

func (m *durations) measured(cpu function.MemoryMB) bool {
	for _, at := range m.points {
		if at.cpu == m.share(cpu) {
			return true
		}
	}
	return false
}

func (m *durations) point(a Amount) Point {
	mean := m.mean(m.share(a.CPU))
	return Point{
		Memory: a.Memory, CPU: a.CPU, Mean: mean, P95: mean * m.spread,
		GBSeconds: float64(a.Memory) / 1024 * mean, // of a thousand executions of so many ms
		Measured:  m.measured(a.CPU),
	}
}

// curve is the model at the amounts from low to high, each an eighth more than
// the one before. For the goal speed the CPU stays what the owner asked for,
// whatever the memory, and so does the duration.
func (m *durations) curve(p *Policy, low, high function.MemoryMB, also ...function.MemoryMB) []Point {
	var amounts []function.MemoryMB
	for at := low; at < high; at = roundUp(float64(at) * 1.125) {
		amounts = append(amounts, at)
	}
	amounts = append(amounts, high)
	for _, a := range also {
		if a >= low && a <= high {
			amounts = append(amounts, a)
		}
	}
	sortUnique(&amounts)
	points := make([]Point, 0, len(amounts))
	for _, a := range amounts {
		points = append(points, m.point(p.amount(a)))
	}
	return points
}

// quantile is a quantile of the durations in milliseconds at the amount of CPU
// that most executions had, brought to another by the model.
func (v *Evidence) latency(m *durations, q float64, cpu function.MemoryMB) time.Duration {
	var most *load
	for i := range v.loads {
		if l := &v.loads[i]; l.n > 0 && (most == nil || l.n > most.n) {
			most = l
		}
	}
	at := most.durations.quantile(durationMapping, q) * m.mean(m.share(cpu)) / m.mean(m.share(most.cpu))
	return time.Duration(at * float64(time.Millisecond))
}
