package sizing

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hearthd/hearth/internal/function"
)

// phase is a part of a generated history.
type phase struct {
	level, spread float64 // MB, and relative
	spikes        float64 // share of executions that need twice the level
	executions    int
	release       bool
}

func phases(least int) *rapid.Generator[[]phase] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) phase {
		return phase{
			level:      rapid.Float64Range(20, 2000).Draw(t, "level"),
			spread:     rapid.SampledFrom([]float64{0, 0.01, 0.05, 0.2}).Draw(t, "spread"),
			spikes:     rapid.SampledFrom([]float64{0, 0, 0.001, 0.05}).Draw(t, "spikes"),
			executions: rapid.IntRange(1, 1500).Draw(t, "executions"),
			release:    rapid.Bool().Draw(t, "release"),
		}
	}), least, 6)
}

// Whatever the history: an amount is never out of bounds, a function is up
// after few deaths, the number of changes is bounded, and it settles.
func TestPropertiesOfDecisions(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		low := function.MemoryMB(rapid.SampledFrom([]int{128, 200, 512}).Draw(rt, "min"))
		high := function.MemoryMB(rapid.SampledFrom([]int{512, 1024, 10_240}).Draw(rt, "max"))
		asked := function.MemoryMB(rapid.SampledFrom([]int{128, 512, 3008}).Draw(rt, "asked"))
		history := phases(1).Draw(rt, "history")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))

		tr := newTrace(map[string]string{TagMode: "apply"}, asked)
		tr.policy.Min, tr.policy.Max = low, high
		inARow := 0
		step := func(mb float64) {
			died, amount := tr.died, tr.amount().Memory
			tr.run(mb)
			if a := tr.amount().Memory; a != asked && (a < low || a > high) {
				rt.Fatalf("%d MB is not between %d and %d", a, low, high)
			}
			if tr.died == died {
				inARow = 0
				return
			}
			if amount >= high {
				return // there is no more to give
			}
			inARow++
			if most := math.Ceil(math.Log(float64(high)/float64(min(low, asked)))/math.Log(raiseKilled)) + 1; float64(inARow) > most {
				rt.Fatalf("%d deaths in a row at %d MB", inARow, amount)
			}
		}
		for _, p := range history {
			if p.release {
				tr.evidence.Succeed(tr.policy.Quantile)
				tr.evidence.Begin(tr.now)
			}
			for range p.executions {
				mb := p.level * math.Exp(p.spread*r.NormFloat64())
				if r.Float64() < p.spikes {
					mb *= 2
				}
				step(min(mb, 9000))
			}
		}
		if most := 16 * (len(history) + 1); len(tr.path) > most {
			rt.Fatalf("%d changes in %d phases: %v", len(tr.path), len(history), tr.path)
		}
		// Steady use follows, until whatever was remembered is forgotten.
		level := history[len(history)-1].level
		tr.every = 10 * time.Minute
		for range 3000 {
			step(level)
		}
		settled := len(tr.path)
		for range 500 {
			step(level)
		}
		if len(tr.path) != settled {
			rt.Fatalf("still moving: %v", tr.path)
		}
		want := level + max(leastMargin*level, leastMarginMB)
		got := float64(tr.amount().Memory)
		if got < min(level, float64(high)) || got > min(max(float64(low), want+grain)/(1-lowerBy), float64(max(high, asked))) {
			rt.Fatalf("settled at %.0f MB for %.0f MB, the need is %.0f MB", got, level, want)
		}
	})
}

// Evidence that was written down and read again decides the same, and evidence
// merged of two nodes remembers what either saw.
func TestPropertiesOfStoredEvidence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		history := phases(1).Draw(rt, "history")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		tr, other := newTrace(applied, 1024), newTrace(applied, 1024)
		for _, p := range history {
			for range p.executions {
				to := tr
				if r.IntN(2) == 0 {
					to = other
				}
				to.run(p.level * math.Exp(p.spread*r.NormFloat64()))
			}
		}
		b, err := tr.evidence.encode(7)
		if err != nil {
			rt.Fatal(err)
		}
		back, runs, err := decode(b)
		if err != nil || runs != 7 {
			rt.Fatal(err, runs)
		}
		a, c := Decide(tr.policy, tr.standing, tr.evidence, tr.now), Decide(tr.policy, tr.standing, back, tr.now)
		if a.Amount != c.Amount || a.Verb != c.Verb || a.Reason != c.Reason {
			rt.Fatalf("%+v\n%+v", a, c)
		}
		highest, n := max(tr.evidence.peaks.max(), other.evidence.peaks.max()), tr.evidence.executions+other.evidence.executions
		back.Merge(other.evidence)
		if back.peaks.max() != highest || back.executions != n {
			rt.Fatalf("merged: %v of %v, %d of %d", back.peaks.max(), highest, back.executions, n)
		}
	})
}
