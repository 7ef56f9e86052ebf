package sizing

import (
	"time"

	"github.com/hearthd/hearth/internal/function"
)

const (
	// halfLife is how fast what was seen loses its weight in quantiles, means
	// and shares. The highest peaks are remembered longer, see [peaks].
	halfLife = 24 * time.Hour
	// amountsKept is for how many different amounts of CPU durations are kept.
	amountsKept = 4
	// killedNeeded is what an execution that was killed at its limit counts
	// for: it wanted more than the limit, nobody knows how much.
	killedNeeded = 1.2
	// closeTo is the share of the limit at which an execution has come close.
	closeTo = 0.97
	// evidenceBytes is about what a called function takes in memory, with one
	// amount and one kind of use; [TestBytesPerFunction] measures it.
	evidenceBytes = 2048
)

// Evidence is what was learned of one version of a function. It grows no
// further once it is full: some [evidenceBytes] bytes, however often the
// function is called. It is not safe for concurrent use, and knows no clock
// but the executions'.
type Evidence struct {
	first, last time.Time // executions
	origin      int64     // of the decay, in Unix seconds
	tick        int64     // the second that weight is for
	weight      float64

	executions uint64
	memory     sketch
	peaks      peaks
	aging      line   // peak in MB over Nth, by which a leak is told
	loads      []load // amountsKept at most

	trial   trial
	release release
	prior   prior
}

// trial counts what happened since the amount in force is in force.
type trial struct {
	Since      time.Time
	Executions int64
	// Killed died for memory; Grown were grown in place and lived; Starved
	// timed out while they waited for CPU.
	Killed, Grown, Starved int64
	// Highest is the highest peak, in MB.
	Highest float64
}

// NewEvidence returns the evidence of a version that nobody has seen yet.
func NewEvidence() *Evidence { return &Evidence{memory: newSketch(memoryBins)} }

// Add takes in one execution. Overrides say nothing about the amount in force
// and are left out.
func (v *Evidence) Add(e *Execution) {
	if e.Override {
		return
	}
	w := v.weigh(e.At)
	v.executions++
	if v.first.IsZero() {
		v.first = e.At
	}
	if e.At.After(v.last) {
		v.last = e.At
	}
	peak := float64(e.Peak) / (1 << 20)
	if e.Outcome == OutOfMemory {
		peak = max(peak, killedNeeded*float64(e.limit()))
	}
	if peak > 0 {
		v.memory.add(memoryMapping, peak, w)
		v.peaks.add(e.At, peak)
		if e.Nth > 0 && e.Outcome != OutOfMemory {
			v.aging.add(float64(e.Nth), peak, w)
		}
		v.release.add(peak)
	}
	if e.Outcome != OutOfMemory {
		v.load(e.Amount.CPU).add(e, w)
	}
	v.trial.add(e, peak)
}

func (t *trial) add(e *Execution, peak float64) {
	if e.Probe {
		return // it ran at another amount
	}
	if t.Since.IsZero() {
		t.Since = e.At
	}
	t.Executions++
	t.Highest = max(t.Highest, peak)
	switch {
	case e.Outcome == OutOfMemory:
		t.Killed++
	case e.Grown > e.Amount.Memory:
		t.Grown++
	case e.Outcome == TimedOut && starved(e):
		t.Starved++
	}
}

// starved tells a time-out for want of CPU from one for want of an answer.
func starved(e *Execution) bool { return e.Throttled > e.Duration/5 }

// Urgent reports whether an execution is a reason to decide at once: memory ran
// out, or nearly, or so did time while it was throttled.
func Urgent(e *Execution) bool {
	switch {
	case e.Override || e.Probe:
		return false
	case e.Outcome == OutOfMemory, e.Grown > e.Amount.Memory:
		return true
	case e.Outcome == TimedOut:
		return starved(e)
	}
	return float64(e.Peak) > closeTo*float64(e.Amount.Memory<<20)
}

// weigh returns the weight of an execution at a time, and scales everything
// down before the weights get too large to add up.
func (v *Evidence) weigh(t time.Time) float64 {
	second := t.Unix()
	if second == v.tick {
		return v.weight
	}
	if v.executions == 0 && v.origin == 0 {
		v.origin = second
	}
	w := decayed(float64(second-v.origin) / halfLife.Seconds())
	if w > maxWeight {
		v.scale(1 / w)
		v.origin, w = second, 1
	}
	v.tick, v.weight = second, w
	return w
}

func (v *Evidence) scale(f float64) {
	v.memory.scale(f)
	v.aging.scale(f)
	for i := range v.loads {
		v.loads[i].scale(f)
	}
}

// load returns the durations at an amount of CPU, in the place of those with
// the least weight where there are too many.
func (v *Evidence) load(cpu function.MemoryMB) *load {
	least := -1
	for i := range v.loads {
		if v.loads[i].cpu == cpu {
			return &v.loads[i]
		}
		if least < 0 || v.loads[i].n < v.loads[least].n {
			least = i
		}
	}
	if len(v.loads) < amountsKept {
		v.loads = append(v.loads[:len(v.loads):len(v.loads)], load{cpu: cpu})
		return &v.loads[len(v.loads)-1]
	}
	v.loads[least] = load{cpu: cpu}
	return &v.loads[least]
}

// Begin starts the trial of another amount.
func (v *Evidence) Begin(now time.Time) { v.trial = trial{Since: now} }
