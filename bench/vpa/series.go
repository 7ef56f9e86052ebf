package main

import (
	"math"
	"math/rand/v2"
	"time"
)

// executions of each series, about one a minute for a fortnight.
const executions = 20_000

// begin is when every series begins; no clock is asked.
var begin = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// execution is one of a series: when, how much memory at its peak in MB, as
// which of its environment, and whether a release came before it.
type execution struct {
	at      time.Time
	peak    float64
	nth     int
	release bool
}

// series is the use of one function, and what its owner asked for.
type series struct {
	kind  string
	asked int
	uses  []execution
}

// kind makes the peaks of a function from its parameters, which it draws from
// the generator first.
type kind struct {
	name string
	make func(r *rand.Rand) func(i int, t float64) (peak float64, nth int, release bool)
}

// between is evenly distributed, in the logarithm.
func between(r *rand.Rand, low, high float64) float64 {
	return low * math.Exp(r.Float64()*math.Log(high/low))
}

func noise(r *rand.Rand, sigma float64) float64 { return math.Exp(sigma * r.NormFloat64()) }

// kinds are the workloads that a node is likely to see. t is in days.
var kinds = []kind{
	{"steady", func(r *rand.Rand) func(int, float64) (float64, int, bool) {
		base, sigma := between(r, 40, 900), between(r, 0.005, 0.04)
		return func(int, float64) (float64, int, bool) { return base * noise(r, sigma), 0, false }
	}},
	{"input-dependent", func(r *rand.Rand) func(int, float64) (float64, int, bool) {
		// An interpreter, and as much as the input makes it take; inputs have a limit.
		base, size, sigma := between(r, 35, 80), between(r, 20, 200), between(r, 0.3, 0.8)
		return func(int, float64) (float64, int, bool) {
			return base + min(size*noise(r, sigma), 12*size), 0, false
		}
	}},
	{"bimodal", func(r *rand.Rand) func(int, float64) (float64, int, bool) {
		low, ratio, share := between(r, 50, 400), between(r, 1.8, 4), between(r, 0.04, 0.4)
		sigma := between(r, 0.01, 0.05)
		return func(int, float64) (float64, int, bool) {
			if r.Float64() < share {
				return low * ratio * noise(r, sigma), 0, false
			}
			return low * noise(r, sigma), 0, false
		}
	}},
	{"growing", func(r *rand.Rand) func(int, float64) (float64, int, bool) {
		base, perDay, sigma := between(r, 60, 500), between(r, 0.02, 0.1), between(r, 0.01, 0.04)
		return func(_ int, t float64) (float64, int, bool) { return base * (1 + perDay*t) * noise(r, sigma), 0, false }
	}},
	{"leaking", func(r *rand.Rand) func(int, float64) (float64, int, bool) {
		base, leak, life := between(r, 50, 300), between(r, 0.2, 2), between(r, 60, 400)
		nth, end := 0, 0
		return func(int, float64) (float64, int, bool) {
			if nth++; nth > end { // another environment
				nth, end = 1, int(life*(0.5+r.Float64()))
			}
			return (base + leak*float64(nth)) * noise(r, 0.01), nth, false
		}
	}},
	{"releases", func(r *rand.Rand) func(int, float64) (float64, int, bool) {
		// A release every few days, each with another use.
		base, sigma := between(r, 60, 500), between(r, 0.01, 0.05)
		every := 2 + 3*r.Float64()
		next := every
		return func(_ int, t float64) (float64, int, bool) {
			release := t > next
			if release {
				next += every
				base *= between(r, 0.7, 1.6)
			}
			return base * noise(r, sigma), 0, release
		}
	}},
	{"step", func(r *rand.Rand) func(int, float64) (float64, int, bool) {
		// Something outside changes, once, without a release.
		base, factor, at, sigma := between(r, 60, 500), between(r, 1.2, 2.5), 3+8*r.Float64(), between(r, 0.01, 0.04)
		return func(_ int, t float64) (float64, int, bool) {
			if t > at {
				return base * factor * noise(r, sigma), 0, false
			}
			return base * noise(r, sigma), 0, false
		}
	}},
	{"spiky", func(r *rand.Rand) func(int, float64) (float64, int, bool) {
		base, factor, rate, sigma := between(r, 50, 400), between(r, 1.8, 4), 1/between(r, 1000, 10_000), between(r, 0.01, 0.05)
		return func(int, float64) (float64, int, bool) {
			if r.Float64() < rate {
				return base * factor * noise(r, 0.1), 0, false
			}
			return base * noise(r, sigma), 0, false
		}
	}},
	{"daily", func(r *rand.Rand) func(int, float64) (float64, int, bool) {
		base, swing, weekend, sigma := between(r, 60, 500), 0.2+0.6*r.Float64(), 0.5+0.5*r.Float64(), between(r, 0.02, 0.08)
		return func(_ int, t float64) (float64, int, bool) {
			level := 1 + swing*math.Sin(2*math.Pi*t)
			if int(t)%7 >= 5 {
				level *= weekend
			}
			return base * max(level, 0.2) * noise(r, sigma), 0, false
		}
	}},
	{"flapping", func(r *rand.Rand) func(int, float64) (float64, int, bool) {
		base, factor, period, sigma := between(r, 60, 500), between(r, 1.3, 2.5), between(r, 0.1, 1.5), between(r, 0.01, 0.04)
		return func(_ int, t float64) (float64, int, bool) {
			if math.Mod(t, period) > period/2 {
				return base * factor * noise(r, sigma), 0, false
			}
			return base * noise(r, sigma), 0, false
		}
	}},
}

// generous are the amounts that people ask for.
var generous = []int{512, 1024, 1536, 2048, 3008}

// generate makes the series of a kind for a seed.
func generate(k kind, seed uint64) series {
	r := rand.New(rand.NewPCG(seed, uint64(len(k.name))<<32|uint64(k.name[0])))
	use := k.make(r)
	s := series{kind: k.name, uses: make([]execution, executions)}
	at, most := begin, 0.0
	for i := range s.uses {
		at = at.Add(time.Duration(r.ExpFloat64() * float64(time.Minute)))
		peak, nth, release := use(i, at.Sub(begin).Hours()/24)
		s.uses[i] = execution{at, peak, nth, release}
		if i < executions/10 {
			most = max(most, peak)
		}
	}
	// The owner saw some of it, and asked for twice as much at least.
	s.asked = generous[len(generous)-1]
	for _, mb := range generous {
		if float64(mb) >= 2*most {
			s.asked = mb
			break
		}
	}
	return s
}
