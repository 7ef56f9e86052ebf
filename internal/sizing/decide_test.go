package sizing

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// trace replays executions against the model, as a node would: an execution
// that needs more than its amount dies of it.
type trace struct {
	policy   Policy
	standing Standing
	evidence *Evidence
	now      time.Time
	every    time.Duration // between executions

	count  int
	died   int
	grows  bool // executions are grown in place instead
	grown  int
	last   Decision
	path   []function.MemoryMB // the amounts that were in force
	causes []Cause
}

func newTrace(tags map[string]string, asked function.MemoryMB) *trace {
	p := PolicyOf(tags, asked)
	p.Window = DefaultWindow
	return &trace{policy: p, evidence: NewEvidence(), now: monday, every: time.Minute, path: []function.MemoryMB{asked}}
}

func (t *trace) amount() Amount { return t.standing.orAsked(&t.policy) }

// run is an execution that needs so many MB.
func (t *trace) run(mb float64) { t.execute(Execution{Peak: int64(mb * (1 << 20))}) }

func (t *trace) execute(e Execution) {
	t.now = t.now.Add(t.every)
	e.At, e.Amount = t.now, t.amount()
	if e.Duration == 0 {
		e.Duration, e.CPU = 100*time.Millisecond, time.Millisecond
	}
	if limit := int64(e.Amount.Memory) << 20; e.Peak > limit && t.grows {
		e.Grown = function.MemoryMB(e.Peak>>20) + 1
		t.grown++
	} else if e.Peak > limit {
		e.Outcome, e.Peak = OutOfMemory, limit
		t.died++
	}
	t.evidence.Add(&e)
	if t.count++; t.count%DecideEvery(t.policy) == 0 || Urgent(&e) {
		t.decide()
	}
}

func (t *trace) decide() {
	t.last = Decide(t.policy, t.standing, t.evidence, t.now)
	if t.standing.Take(&t.last, t.now) {
		t.evidence.Begin(t.now)
		t.path = append(t.path, t.amount().Memory)
		t.causes = append(t.causes, t.last.Cause)
	}
}

func (t *trace) shape(s Shape) bool {
	return slices.ContainsFunc(t.evidence.patterns(), func(p Pattern) bool { return p.Shape == s })
}

var applied = map[string]string{TagMode: "apply"}

func TestDecisionsOfControlledCases(t *testing.T) {
	noise := func(r *rand.Rand) float64 { return 1 + 0.02*r.NormFloat64() }
	for name, test := range map[string]struct {
		asked function.MemoryMB
		feed  func(tr *trace, r *rand.Rand)
		check func(t *testing.T, tr *trace)
	}{
		"steady use: the amount goes down in steps of half at most, to a little more than is used": {
			asked: 2048,
			feed: func(tr *trace, r *rand.Rand) {
				for range 5000 {
					tr.run(200 * noise(r))
				}
			},
			check: func(t *testing.T, tr *trace) {
				if got := tr.amount().Memory; got < 208 || got > 256 || tr.died > 0 {
					t.Errorf("%d MB for 200 MB, %d died", got, tr.died)
				}
				for i := 1; i < len(tr.path); i++ {
					if tr.path[i] < tr.path[i-1] && 2*tr.path[i] < tr.path[i-1] {
						t.Errorf("a step of more than half: %v", tr.path)
					}
				}
				if !tr.shape(Steady) || tr.last.Verb != Keep || tr.last.Cause != Fits {
					t.Errorf("%+v", tr.last)
				}
			},
		},
		"a spike once in 10,000 kills few, and is remembered": {
			asked: 1024,
			feed: func(tr *trace, r *rand.Rand) {
				tr.every = 2 * time.Second
				for i := range 40_000 {
					if i%10_000 == 5000 {
						tr.run(330 * noise(r))
					} else {
						tr.run(150 * noise(r))
					}
				}
			},
			check: func(t *testing.T, tr *trace) {
				if tr.died > 3 || tr.amount().Memory < 330 {
					t.Errorf("%d died; %v", tr.died, tr.path)
				}
				if !tr.shape(Spiky) {
					t.Errorf("%v", tr.evidence.patterns())
				}
			},
		},
		"a spike that was grown in place kills nobody, and its need is known": {
			asked: 1024,
			feed: func(tr *trace, r *rand.Rand) {
				tr.grows = true
				for i := range 20_000 {
					if i%10_000 == 5000 {
						tr.run(330)
					} else {
						tr.run(150 * noise(r))
					}
				}
			},
			check: func(t *testing.T, tr *trace) {
				if tr.grown != 1 || tr.died > 0 || tr.amount().Memory < 330 {
					t.Errorf("%d grew, %d died; %v", tr.grown, tr.died, tr.path)
				}
			},
		},
		"a step up after a release: up at once, and named": {
			asked: 1024,
			feed: func(tr *trace, r *rand.Rand) {
				for range 1000 {
					tr.run(150 * noise(r))
				}
				tr.evidence.Succeed(tr.policy.Quantile)
				tr.evidence.Begin(tr.now)
				for range 300 {
					tr.run(300 * noise(r))
				}
			},
			check: func(t *testing.T, tr *trace) {
				if tr.died > 2 || tr.amount().Memory < 310 || !tr.shape(Stepped) || tr.shape(Leaking) {
					t.Errorf("%d died; %v; %v", tr.died, tr.path, tr.evidence.patterns())
				}
			},
		},
		"a release that needs less proves itself first": {
			asked: 1024,
			feed: func(tr *trace, r *rand.Rand) {
				for range 3000 {
					tr.run(600 * noise(r))
				}
				tr.evidence.Succeed(tr.policy.Quantile)
				tr.evidence.Begin(tr.now)
				for range 2000 {
					tr.run(150 * noise(r))
				}
				if got := tr.amount().Memory; got < 600 {
					panic("lowered before it was proved")
				}
				for range 3000 {
					tr.run(150 * noise(r))
				}
			},
			check: func(t *testing.T, tr *trace) {
				if got := tr.amount().Memory; got > 200 || tr.died > 0 {
					t.Errorf("%d MB, %d died", got, tr.died)
				}
			},
		},
		"a slow leak is told from a step": {
			asked: 1024,
			feed: func(tr *trace, r *rand.Rand) {
				for i := range 4000 {
					nth := i%200 + 1
					tr.execute(Execution{Nth: nth, Peak: int64((100 + float64(nth)) * noise(r) * (1 << 20))})
				}
			},
			check: func(t *testing.T, tr *trace) {
				if !tr.shape(Leaking) || tr.shape(Stepped) || tr.shape(Growing) || tr.died > 0 {
					t.Errorf("%v, %d died", tr.evidence.patterns(), tr.died)
				}
				if got := tr.amount().Memory; got < 304 || got > 360 {
					t.Errorf("%d MB for 100 to 300 MB", got)
				}
			},
		},
		"use that grows hour by hour is followed ahead of time": {
			asked: 1024,
			feed: func(tr *trace, r *rand.Rand) {
				for i := range 4000 {
					tr.run((150 + 0.04*float64(i)) * noise(r))
				}
			},
			check: func(t *testing.T, tr *trace) {
				if !tr.shape(Growing) || tr.died > 0 {
					t.Errorf("%v, %d died", tr.evidence.patterns(), tr.died)
				}
			},
		},
		"use that grows release by release is named": {
			asked: 1024,
			feed: func(tr *trace, r *rand.Rand) {
				for release := range 4 {
					if release > 0 {
						tr.evidence.Succeed(tr.policy.Quantile)
					}
					for range 300 {
						tr.run((150 + 30*float64(release)) * noise(r))
					}
				}
			},
			check: func(t *testing.T, tr *trace) {
				if !tr.shape(Releases) {
					t.Errorf("%v", tr.evidence.patterns())
				}
			},
		},
		"bimodal use: the larger kind fits, and both are named": {
			asked: 2048,
			feed: func(tr *trace, r *rand.Rand) {
				for range 4000 {
					mb := 120.0
					if r.Float64() < 0.2 {
						mb = 400
					}
					tr.run(mb * noise(r))
				}
			},
			check: func(t *testing.T, tr *trace) {
				if got := tr.amount().Memory; got < 410 || got > 500 || tr.died > 0 || !tr.shape(Bimodal) {
					t.Errorf("%d MB, %d died, %v", got, tr.died, tr.evidence.patterns())
				}
			},
		},
		"too few samples decide nothing": {
			asked: 2048,
			feed: func(tr *trace, r *rand.Rand) {
				for range DefaultThreshold - 1 {
					tr.run(100)
				}
				tr.decide()
			},
			check: func(t *testing.T, tr *trace) {
				if tr.last.Verb != Wait || tr.last.Cause != FewSamples || len(tr.path) != 1 {
					t.Errorf("%+v", tr.last)
				}
			},
		},
		"input that flaps makes no amount that flaps": {
			asked: 1024,
			feed: func(tr *trace, r *rand.Rand) {
				for i := range 20_000 {
					mb := 150.0
					if i/360%2 == 1 {
						mb = 300
					}
					tr.run(mb * noise(r))
				}
			},
			check: func(t *testing.T, tr *trace) {
				if len(tr.path) > 10 || tr.died > 2 {
					t.Errorf("%v, %d died", tr.path, tr.died)
				}
			},
		},
		"use close to the limit is a reason before anything fails": {
			asked: 256,
			feed: func(tr *trace, r *rand.Rand) {
				for range 20 {
					tr.run(254)
				}
			},
			check: func(t *testing.T, tr *trace) {
				if tr.died > 0 || tr.amount().Memory <= 256 || tr.causes[0] != TooClose {
					t.Errorf("%v %v", tr.path, tr.causes)
				}
			},
		},
		"time-outs while throttled are a reason, others are not": {
			asked: 256,
			feed: func(tr *trace, r *rand.Rand) {
				for range 50 {
					tr.execute(Execution{Peak: 60 << 20, Duration: 3 * time.Second, Outcome: TimedOut})
				}
				if len(tr.path) > 1 {
					panic("raised for time-outs that no CPU would help")
				}
				for range 5 {
					tr.execute(Execution{Peak: 60 << 20, Duration: 3 * time.Second, CPU: time.Second / 3, Throttled: 2 * time.Second, Outcome: TimedOut})
				}
			},
			check: func(t *testing.T, tr *trace) {
				if tr.amount().Memory <= 256 || tr.causes[0] != StarvedCPU {
					t.Errorf("%v %v", tr.path, tr.causes)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrace(applied, test.asked)
			test.feed(tr, rand.New(rand.NewPCG(1, 2)))
			test.check(t, tr)
		})
	}
}

func TestOwnersWhoAcceptFailuresGetLess(t *testing.T) {
	strict, lax := newTrace(applied, 1024), newTrace(map[string]string{TagMode: "apply", TagQuantile: "0.95"}, 1024)
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		mb := 120 * (1 + 0.02*r.NormFloat64())
		if r.Float64() < 0.01 {
			mb = 400
		}
		strict.run(mb)
		lax.run(mb)
	}
	if strict.amount().Memory < 400 || lax.amount().Memory > 200 {
		t.Errorf("strict %v, lax %v", strict.path, lax.path)
	}
}

func TestOverridesAndProbesAreNoTrialOfTheAmount(t *testing.T) {
	tr := newTrace(applied, 512)
	for range 200 {
		tr.execute(Execution{Peak: 500 << 20, Override: true})
	}
	if tr.evidence.executions != 0 {
		t.Errorf("%d overrides counted", tr.evidence.executions)
	}
	tr.execute(Execution{Peak: 100 << 20, Probe: true})
	if tr.evidence.trial.Executions != 0 || tr.evidence.executions != 1 {
		t.Errorf("%+v", tr.evidence.trial)
	}
}

func TestGoals(t *testing.T) {
	// 50 ms of waiting and 100 ms of CPU: throttled below one CPU.
	busy := func(tags map[string]string, asked function.MemoryMB) *trace {
		tr := newTrace(tags, asked)
		for range 3000 {
			c := float64(tr.amount().CPU) / DefaultMBPerCPU
			throttled := max(0, 100-c*period) * max(0, 1/c-1)
			tr.execute(Execution{
				Peak: 90 << 20, CPU: 100 * time.Millisecond, Throttled: time.Duration(throttled * float64(time.Millisecond)),
				Duration: time.Duration((150 + throttled) * float64(time.Millisecond)),
			})
		}
		return tr
	}
	tagged := func(goal string) map[string]string { return map[string]string{TagMode: "apply", TagGoal: goal} }
	cost, balanced, speed := busy(tagged("cost"), 1769), busy(tagged("balanced"), 1769), busy(tagged("speed"), 1769)
	bound := busy(tagged("p95<400ms"), 1769)
	if c, b := cost.amount(), balanced.amount(); c.Memory >= b.Memory || b.Memory > 1769 {
		t.Errorf("cost %v, balanced %v", c, b)
	}
	if s := speed.amount(); s.Memory > 128 || s.CPU != 1769 {
		t.Errorf("speed %v", s)
	}
	m, ok := bound.evidence.model(&bound.policy)
	if got := bound.evidence.latency(&m, 0.95, bound.amount().CPU); !ok || got > 400*time.Millisecond || bound.amount().Memory > 1200 {
		t.Errorf("bound: %v at %v", got, bound.amount())
	}
	if !strings.Contains(bound.policy.Goal.String(), "p95<400ms") {
		t.Error(bound.policy.Goal)
	}
}

// A function that waits and hardly computes is the cheapest at the least
// amount, and no slower.
func TestCPUThatIsNotUsedIsNotBought(t *testing.T) {
	tr := newTrace(applied, 1769)
	for range 2000 {
		tr.execute(Execution{Peak: 90 << 20, CPU: 2 * time.Millisecond, Duration: 100 * time.Millisecond})
	}
	if got := tr.amount(); got.Memory != 128 {
		t.Errorf("%v", got)
	}
}
