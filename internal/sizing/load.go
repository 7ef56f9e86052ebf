package sizing

import (
	"time"

	"github.com/hearthd/hearth/internal/function"
)

// load is how long executions took with one amount of CPU. Its sums are
// weighted like everything in [Evidence]; times are in milliseconds.
type load struct {
	cpu                      function.MemoryMB
	n, time, busy, throttled float64
	durations                sketch
}

func (l *load) add(e *Execution, w float64) {
	if l.n == 0 {
		l.durations = newSketch(durationBins)
	}
	ms := milliseconds(e.Duration)
	l.n += w
	l.time += w * ms
	l.busy += w * milliseconds(e.CPU)
	l.throttled += w * milliseconds(e.Throttled)
	l.durations.add(durationMapping, ms, w)
}

func (l *load) scale(f float64) {
	l.n, l.time, l.busy, l.throttled = l.n*f, l.time*f, l.busy*f, l.throttled*f
	l.durations.scale(f)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
