package worker

import (
	"math"
	"runtime"
	"time"
)

const (
	// Patience is how long a request waits for an environment that is about to
	// be given back before it is decided whether to boot one for it: less than
	// what a boot takes at best. Without it a short burst on a quick function
	// would leave many environments that get in each other's way on few CPUs.
	Patience = 3 * time.Millisecond
	// soonEnough is how long its turn may be away for it to have patience again,
	// and longestPatience how long that may go on, as long as the queue moves.
	soonEnough      = 4 * Patience
	longestPatience = 16 * Patience
	// stuckFor times patience without a move, and the queue does not move. Once
	// is not enough: perhaps the whole machine stood still. On one with other
	// things to do that says nothing.
	stuckFor = 2
	// pipeline times as many invocations as the processors can run may be under
	// way: so that no processor waits for a request to be handed over, while
	// others carry requests and answers. Measured: with half as many some do
	// wait, with twice as many switches begin to cost more than that.
	pipeline = 4
)

// pace is how quick a revision's invocations are, and from that, how many of
// them are worth running at a time. The zero value knows nothing.
type pace struct {
	typical time.Duration // moving average of the durations
	cpu     time.Duration // moving average of the CPU time
	// quickest is the shortest duration of this window and of the last: what
	// an invocation takes when nothing is in its way.
	quickest, before time.Duration
	// spent is the time that environments were held for invocations, together, in
	// this window and in the last, used the CPU time; ran is how many there were.
	spent, spentBefore time.Duration
	used, usedBefore   time.Duration
	ran, ranBefore     int
	processors         float64 // that its environments can share, see work
}

// work is what an environment knows of its last invocation.
type work struct {
	cpu time.Duration
	// processors is how many environments could each use its whole share of
	// CPU: the machine's processors, and more where a share is less than one.
	processors float64
}

// took takes in an invocation's duration.
func (p *pace) took(d time.Duration) {
	if p.typical == 0 {
		p.typical = d
	}
	p.typical += (d - p.typical) / 8
	if p.quickest == 0 || d < p.quickest {
		p.quickest = d
	}
}

// held takes in for how long an environment was an invocation's: longer than that
// took, by what comes before and after it.
func (p *pace) held(d time.Duration) {
	p.spent += d
	p.ran++
}

// cost takes in what it cost.
func (p *pace) cost(w work) {
	if w.cpu <= 0 {
		return
	}
	if p.cpu == 0 {
		p.cpu = w.cpu
	}
	p.cpu += (w.cpu - p.cpu) / 8
	p.used += w.cpu
	p.processors = w.processors
}

// turn begins a new window.
func (p *pace) turn() {
	p.before, p.quickest = p.quickest, 0
	p.spentBefore, p.spent = p.spent, 0
	p.usedBefore, p.used = p.used, 0
	p.ranBefore, p.ran = p.ran, 0
}

// mean is how long an invocation held an environment of late; 0 when none did.
// This window tells more than the last when it has seen about as many: they may
// have been held by what was in their way then, such as other initialisations.
func (p *pace) mean() time.Duration {
	spent, ran := p.spent, p.ran
	if 2*ran < p.ranBefore {
		spent, ran = spent+p.spentBefore, ran+p.ranBefore
	}
	if ran == 0 {
		return 0
	}
	return spent / time.Duration(ran)
}

// undisturbed is the shortest duration of late; 0 when there was none.
func (p *pace) undisturbed() time.Duration {
	if p.quickest == 0 || p.before > 0 && p.before < p.quickest {
		return p.before
	}
	return p.quickest
}

// enough is how many invocations at a time keep the processors at work: one
// that needs them a third of its time leaves room for two others. More would
// only take turns on them, and cost switches and cold caches.
func (p *pace) enough() int {
	alone := p.undisturbed()
	if alone == 0 || p.cpu == 0 {
		return math.MaxInt
	}
	return int(math.Ceil(pipeline * p.processors * max(1, float64(alone)/float64(p.cpu))))
}

// keepUp is how many environments keep up with what peak of them had to do at
// the busiest moment: as many as were at work on average (since is how long
// this window lasts), or have among them the CPU that was used, or serve all of
// that moment, one after the other, within patience. Where invocations take
// longer than that, it is peak.
func (p *pace) keepUp(peak int, since time.Duration) int {
	alone := p.undisturbed()
	if alone == 0 || p.processors == 0 {
		return peak
	}
	rate := func(now, before time.Duration) float64 {
		return max(before.Seconds()/loadWindow.Seconds(), now.Seconds()/max(since, time.Second).Seconds())
	}
	// The last window's would have been held no longer than invocations usually are.
	average := rate(p.spent, min(p.spentBefore, time.Duration(p.ranBefore)*p.mean()))
	quota := rate(p.used, p.usedBefore) * p.processors / float64(runtime.NumCPU())
	burst := float64(peak) * float64(alone) / float64(Patience)
	return min(peak, max(1, int(math.Ceil(max(average, quota, burst)))))
}

// averages tells whether the first n of those who wait would be served soon
// enough, were the busy environments as quick as they were on average of late. A
// moment in which the machine was slow is over before an environment is booted.
func (p *pace) averages(n, busy int) bool {
	return inTime(n, busy, p.mean(), soonEnough)
}

// serves tells whether the first n of those who wait will be served within a
// time, as things usually go, by what busy environments give back.
func (p *pace) serves(n, busy int, within time.Duration) bool {
	return inTime(n, busy, p.typical, within)
}

// inTime tells whether the first n of those who wait have their turn within a
// time, if an invocation takes that long each; 0 is not known.
func inTime(n, busy int, each, within time.Duration) bool {
	return busy > 0 && each > 0 && time.Duration(n)*each/time.Duration(busy) < within
}
