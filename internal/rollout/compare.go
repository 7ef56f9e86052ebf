package rollout

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/hearthd/hearth/internal/invoke"
	"github.com/hearthd/hearth/internal/rollout/evidence"
)

const (
	// enough observations of the old version are needed for its median, its
	// 99th percentile and its memory, before the new one is compared with them.
	enoughP50, enoughP99, enoughMemory = 50, 200, 20
	// slackTime and slackBytes are differences that nobody minds, whatever
	// their ratio is.
	slackTime  = 5 * time.Millisecond
	slackBytes = 16 << 20
	// enoughRate observations of the old version are needed to know its rate of
	// errors or time-outs when all requests have moved; otherwise the guard's
	// margin is the limit.
	enoughRate = 20
)

// trial is one guard's test, as stored with the roll-out.
type trial struct {
	Guard
	// Threshold in nanoseconds or bytes; 0 while it is not known.
	Threshold int64          `json:"threshold,omitempty"`
	Test      *evidence.Test `json:"test"`
	// Bake is nil until the new version gets all requests.
	Bake *evidence.Bake `json:"bake,omitempty"`

	known int // observations of the old version that Threshold was made of
}

func newTrials(guards []Guard) []trial {
	trials := make([]trial, len(guards))
	for i, g := range guards {
		trials[i] = trial{Guard: g, Test: evidence.NewTest(g.Margin)}
	}
	return trials
}

// comparison collects what invocations of an alias's two versions were like.
//
// It counts requests that named the alias and that began after it did: a
// version that has just got its first requests is first heard of by the quick
// ones, and so must be the other one. An environment's first invocation, which
// is slower in every version, does not count for durations; a new version has
// more of them. Requests that did not run (throttled, no room on the node) are
// nobody's fault and count for nothing.
//
// Of the false alarms that are allowed (alpha), each guard gets an equal part;
// where the roll-out bakes, half of that is for the comparison side by side, and
// half for the bake and the limit it is held against.
type comparison struct {
	alias, functionID, from, to string
	minSample                   int
	alpha                       float64 // for one guard
	bakes                       bool
	alarm                       func() // called, without the lock, when a guard speaks

	mu        sync.Mutex
	share     float64   // of the new version, 0 to 1
	since     time.Time // what began before does not count
	trials    []trial
	durations evidence.Quantiles // of the old version
	memory    evidence.Quantiles
	verdict   string // of the first guard that spoke
	seen      int    // observations that counted
}

func newComparison(r *record, now time.Time, alarm func()) *comparison {
	c := &comparison{
		alias: r.Alias, functionID: r.FunctionID, from: r.From, to: r.To, minSample: r.MinSample,
		alpha: r.Alpha / float64(max(1, len(r.Tests))), bakes: r.bakes(), alarm: alarm, since: now,
		trials: cloneTrials(r.Tests), share: r.Percent / 100,
	}
	return c
}

func cloneTrials(trials []trial) []trial {
	clones := make([]trial, len(trials))
	for i, t := range trials {
		test := *t.Test
		clones[i] = t
		clones[i].Test = &test
		if t.Bake != nil {
			bake := *t.Bake
			clones[i].Bake = &bake
		}
	}
	return clones
}

// moved says that the new version gets another part of the requests from now on.
func (c *comparison) moved(share float64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.share == 0 || share == 1 {
		c.since = now
		for i := range c.trials {
			c.trials[i].Test.Skip()
		}
	}
	c.share = share
	if share < 1 || !c.bakes {
		return
	}
	for i := range c.trials {
		if t := &c.trials[i]; t.Bake == nil {
			t.Bake = evidence.NewBake(c.limit(t))
		}
	}
}

// limit is what the new version's rate may be when it gets all requests.
func (c *comparison) limit(t *trial) float64 {
	switch {
	case t.Test.OldTotal.N >= enoughRate:
		return evidence.Upper(t.Test.OldTotal, c.alpha/4) + t.Margin
	case t.isRate():
		return t.Margin
	}
	return 1 // what is usual is not known, and nothing is unusual
}

// observe is told of every invocation of the function.
func (c *comparison) observe(o *invoke.Observation) {
	if o.Qualifier != c.alias || o.FunctionID != c.functionID || o.Repeated {
		return
	}
	c.mu.Lock()
	spoke := false
	if !o.Began.Before(c.since) {
		switch o.Version {
		case c.from:
			c.seen++
			c.observeOld(o)
		case c.to:
			c.seen++
			spoke = c.observeNew(o)
		}
	}
	c.mu.Unlock()
	if spoke {
		c.alarm()
	}
}

func (c *comparison) observeOld(o *invoke.Observation) {
	if c.share == 1 {
		return // one that was slow to come in
	}
	for i := range c.trials {
		t := &c.trials[i]
		if !t.Test.Open() {
			c.adjust(t)
		}
		if hit, counts := t.judge(o); counts {
			t.Test.Old(hit, c.share)
		}
	}
	if !o.First {
		c.durations.Add(int64(o.Duration))
	}
	if o.Peak > 0 {
		c.memory.Add(o.Peak)
	}
}

// observeNew is true when a guard speaks.
func (c *comparison) observeNew(o *invoke.Observation) bool {
	if c.share == 0 {
		return false
	}
	for i := range c.trials {
		t := &c.trials[i]
		hit, counts := t.judge(o)
		if !counts {
			continue
		}
		if c.share == 1 {
			if t.Bake != nil {
				t.Bake.Add(hit)
			}
		} else {
			t.Test.New(hit, c.share)
		}
		if seen, e, at := t.New().N, t.Evidence(), c.alarmAt(t); c.verdict == "" && seen >= c.minSample && e >= at {
			c.verdict = t.complaint(c.to, c.from, e, at)
		}
	}
	return c.verdict != ""
}

// adjust sets a trial's threshold by what is known of the old version now.
func (c *comparison) adjust(t *trial) {
	of, quantile, enough, slack := &c.durations, 0.5, enoughP50, int64(slackTime)
	switch t.Metric {
	case P50:
	case P99:
		quantile, enough = 0.99, enoughP99
	case Memory:
		of, quantile, enough, slack = &c.memory, 0.99, enoughMemory, slackBytes
	default:
		return
	}
	if of.N() < max(enough, 2*t.known) {
		return // it would hardly be another one
	}
	t.known = of.N()
	usual := of.At(quantile)
	t.Threshold = max(int64(float64(usual)*t.Ratio), usual+slack)
}

// judge tells whether an observation is a bad one, and whether it counts at all.
func (t *trial) judge(o *invoke.Observation) (hit, counts bool) {
	switch t.Metric {
	case Errors:
		return o.Failed, true
	case Timeouts:
		return o.TimedOut, true
	case Memory:
		return o.Peak > t.Threshold, t.Threshold > 0 && o.Peak > 0
	default:
		return int64(o.Duration) > t.Threshold, t.Threshold > 0 && !o.First
	}
}

// New is what was seen of the new version.
func (t *trial) New() evidence.Counts {
	n := t.Test.NewTotal
	if t.Bake != nil {
		n.N += t.Bake.Total.N
		n.Hits += t.Bake.Total.Hits
	}
	return n
}

// Evidence against the new version: of the bake once there is one.
func (t *trial) Evidence() float64 {
	if t.Bake != nil {
		return t.Bake.Evidence()
	}
	return t.Test.Evidence()
}

// alarmAt is the evidence from which on a guard speaks.
func (c *comparison) alarmAt(t *trial) float64 { return t.alarmAt(c.alpha, c.bakes) }

func (t *trial) alarmAt(alpha float64, bakes bool) float64 {
	switch {
	case t.Bake != nil:
		return 4 / alpha
	case bakes:
		return 2 / alpha
	}
	return 1 / alpha
}

// complaint is why a version is rolled back.
func (t *trial) complaint(to, from string, e, at float64) string {
	what := map[Metric]string{
		Errors: "requests failed", Timeouts: "requests timed out",
		P50:    fmt.Sprintf("requests took longer than %s (%g times the old median)", time.Duration(t.Threshold).Round(10*time.Microsecond), t.Ratio),
		P99:    fmt.Sprintf("requests took longer than %s (%g times the old p99)", time.Duration(t.Threshold).Round(10*time.Microsecond), t.Ratio),
		Memory: fmt.Sprintf("requests used more than %d MB (%g times what is usual)", t.Threshold>>20, t.Ratio),
	}[t.Metric]
	return fmt.Sprintf("guard %s: of version %s %s %s, of version %s %s; evidence %.4g, alarm at %.4g",
		t.Metric, to, share(t.New()), what, from, share(t.Test.OldTotal), e, at)
}

func share(c evidence.Counts) string {
	return fmt.Sprintf("%d of %d (%.3g%%)", c.Hits, c.N, c.Rate()*100)
}

// result is a copy of the trials for storing, what the first guard that spoke
// had to say, and a number that grows with what was seen.
func (c *comparison) result() (trials []trial, verdict string, seen int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cloneTrials(c.trials), c.verdict, c.seen
}

// guardStatuses shows trials.
func guardStatuses(r *record, trials []trial) []GuardStatus {
	alpha := r.Alpha / float64(max(1, len(trials)))
	all := make([]GuardStatus, len(trials))
	for i, t := range trials {
		all[i] = GuardStatus{
			Guard: t.Guard, Threshold: float64(t.Threshold), Old: t.Test.OldTotal, New: t.New(),
			Evidence: min(t.Evidence(), math.MaxFloat64), AlarmAt: t.alarmAt(alpha, r.bakes()),
		}
		if t.Metric == P50 || t.Metric == P99 {
			all[i].Threshold /= float64(time.Millisecond)
		}
	}
	return all
}
