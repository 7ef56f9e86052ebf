package sizing

import (
	"math"
	"slices"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

const (
	// grain is what amounts are multiples of, in MB.
	grain = 8
	// lowerBy is the least share of the amount that lowering must save:
	// between it and the need there is no reason to do anything.
	lowerBy = 0.06
	// stepDown bounds one step down: at least half of the amount stays, and
	// proves itself before the next.
	stepDown = 0.5
	// raiseKilled and raiseStarved are the factors by which an amount is raised
	// that executions died or starved at: nobody knows how much they wanted.
	raiseKilled, raiseStarved = 1.5, 1.5
	// starvedShare of the executions in a trial may time out for want of CPU.
	starvedShare = 0.01
	// patience doubles the executions before the next step down with every
	// raise that is remembered, up to patienceMost times.
	patienceMost = 6
	// raisesFor is how long a raise is remembered.
	raisesFor = daysKept * 24 * time.Hour
	// tie is how much dearer a faster amount may be and still be preferred.
	tie = 0.02
)

// Standing is what was decided for a version before.
type Standing struct {
	// Amount is in force; the zero value is what the owner asked for.
	Amount Amount
	// Raises are the raises since Raised; see raisesFor.
	Raises int
	Raised time.Time
}

// Verb says what a decision does.
type Verb string

// The verbs.
const (
	Keep  Verb = "keep"
	Lower Verb = "lower"
	Raise Verb = "raise"
	// Wait is for more executions before anything is said.
	Wait Verb = "wait"
)

// Cause says why, for programs; Decision.Reason says it for people.
type Cause string

// The causes.
const (
	FewSamples  Cause = "few-samples"
	Fits        Cause = "fits"         // the amount in force is right
	TooMuch     Cause = "too-much"     // it is more than is needed
	Killed      Cause = "killed"       // executions died for memory
	TooClose    Cause = "too-close"    // use is too close to it
	NewRelease  Cause = "new-release"  // it begins with a little more than the one before it
	StarvedCPU  Cause = "starved"      // time-outs while throttled
	Proving     Cause = "proving"      // a smaller one is recommended, and this one has to prove itself first
	AtBound     Cause = "at-bound"     // more is needed than the owner allows
	OutOfBounds Cause = "out-of-bound" // the owner moved the bounds
	Goals       Cause = "goal"         // the goal wants another amount of CPU
	// ResetByOwner stands in histories only.
	ResetByOwner Cause = "reset"
)

// Decision is what to do about a function's amount.
type Decision struct {
	Verb  Verb
	Cause Cause
	// Amount is what is to be in force now, Recommended where the steps lead.
	Amount, Recommended Amount
	// Need is the memory that Recommended is made of.
	Need need
	// Patterns are what was recognised in the use.
	Patterns []Pattern
	// Confidence is between 0 and 1.
	Confidence float64
	// Reason is a sentence.
	Reason string
}

// Decide says what a function should be given. It knows no clock: now is the
// time of the newest execution, or later.
func Decide(p Policy, s Standing, v *Evidence, now time.Time) Decision {
	asked := p.amount(p.Asked)
	inForce := s.Amount
	if inForce == (Amount{}) {
		inForce = asked
	}
	d := Decision{Verb: Keep, Amount: inForce, Patterns: v.patterns(), Confidence: v.confidence(&p)}
	d.Need = v.need(p.Quantile)
	least := p.clip(roundUp(d.Need.MB))
	short := d.Need.MB > float64(p.Max)

	// What must not wait: executions failed, or nearly.
	next := function.MemoryMB(0)
	t := &v.trial
	switch {
	case inForce.Memory < p.Min || inForce.Memory > p.Max:
		next, d.Cause = p.clip(inForce.Memory), OutOfBounds
	case p.tooMany(t.Killed, t.Executions):
		// At once so much more that it is over soon, wherever it leads.
		next, d.Cause = max(least, p.clip(roundUp(raiseKilled*float64(inForce.Memory)))), Killed
	case least > inForce.Memory:
		next, d.Cause = least, TooClose
		if d.Need.Prior {
			d.Cause = NewRelease
		}
		if p.tooMany(t.Grown, t.Executions) {
			d.Cause = Killed
		}
	case float64(t.Starved) > starvedShare*float64(t.Executions) && p.Goal.Aim != Speed:
		next, d.Cause = p.clip(roundUp(raiseStarved*float64(inForce.Memory))), StarvedCPU
	}
	if next > inForce.Memory || d.Cause == OutOfBounds {
		d.Verb = Raise
		if next < inForce.Memory {
			d.Verb = Lower
		}
		d.Amount = p.amount(next)
		d.Recommended = d.Amount
		return d.explain(&p, s, v)
	}
	if t.Executions < int64(p.Threshold) && v.executions < uint64(p.Threshold) {
		d.Verb, d.Cause, d.Recommended = Wait, FewSamples, inForce
		return d.explain(&p, s, v)
	}
	goal := p.choose(v, least, inForce)
	d.Recommended = p.amount(goal)
	d.Cause = Fits
	switch {
	case short:
		d.Cause = AtBound
	case goal > inForce.Memory && float64(goal) > float64(inForce.Memory)*(1+lowerBy):
		if t.Executions < p.patience(s, now) {
			d.Cause = Proving
			break
		}
		d.Verb, d.Cause, d.Amount = Raise, Goals, d.Recommended
	case float64(goal) <= float64(inForce.Memory)*(1-lowerBy):
		if t.Executions < p.patience(s, now) || now.Sub(t.Since) < p.Window {
			d.Cause = Proving
			break
		}
		step := roundUp(stepDown * float64(inForce.Memory))
		d.Verb, d.Cause, d.Amount = Lower, TooMuch, p.amount(max(goal, p.clip(step)))
	default:
		d.Recommended = inForce
	}
	return d.explain(&p, s, v)
}

// tooMany says whether so many failures of so many executions are more than
// the quantile allows.
func (p *Policy) tooMany(failed, of int64) bool {
	return float64(failed) > (1-p.Quantile)*float64(of)
}

// patience is how many executions an amount has to prove itself with.
func (p *Policy) patience(s Standing, now time.Time) int64 {
	raises := s.Raises
	if now.Sub(s.Raised) > raisesFor {
		raises = 0
	}
	return int64(p.Threshold) << min(raises, patienceMost)
}

// choose is the amount that serves the goal best among those that fit.
func (p *Policy) choose(v *Evidence, least function.MemoryMB, inForce Amount) function.MemoryMB {
	m, known := v.model(p)
	if !known || p.Goal.Aim == Speed {
		return least
	}
	most := max(least, p.clip(p.Asked))
	if p.Goal.Aim == Latency {
		most = p.Max
	}
	points := m.curve(p, least, most, inForce.Memory)
	value := func(at Point) float64 {
		switch p.Goal.Aim {
		case Cost:
			return at.GBSeconds
		case Latency:
			// Those that keep the bound by their cost, the others, all behind
			// them, by their duration.
			over := v.latency(&m, p.Goal.Quantile, at.CPU).Seconds() / p.Goal.Bound.Seconds()
			if over <= 1 {
				return at.GBSeconds
			}
			return 1e9 * over
		default:
			return at.GBSeconds * at.Mean
		}
	}
	best := slices.MinFunc(points, func(a, b Point) int {
		switch x, y := value(a), value(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	// Of those that are as good, the fastest is the largest, except where CPU
	// makes no difference.
	choice := best
	for _, at := range points {
		if value(at) <= value(best)*(1+tie) && at.Mean < choice.Mean*(1-tie) {
			choice = at
		}
	}
	return choice.Memory
}

// amount is so much memory with the CPU that the goal gives it.
func (p *Policy) amount(memory function.MemoryMB) Amount {
	if p.Goal.Aim == Speed {
		return Amount{Memory: memory, CPU: max(memory, p.Asked)}
	}
	return Amount{Memory: memory, CPU: memory}
}

func (p *Policy) clip(mb function.MemoryMB) function.MemoryMB { return min(max(mb, p.Min), p.Max) }

func roundUp(mb float64) function.MemoryMB {
	return function.MemoryMB(math.Ceil(mb/grain)) * grain
}

// confidence grows with the executions and with the time they span.
func (v *Evidence) confidence(p *Policy) float64 {
	n, hours := float64(v.executions), v.last.Sub(v.first).Hours()
	return n / (n + float64(p.Threshold)) * (0.5 + 0.5*hours/(hours+6))
}

func sortUnique(a *[]function.MemoryMB) {
	slices.Sort(*a)
	*a = slices.Compact(*a)
}

// Take makes a decision what stands, and reports whether it changed anything.
func (s *Standing) Take(d *Decision, now time.Time) bool {
	if d.Verb != Lower && d.Verb != Raise || d.Amount == s.Amount {
		return false
	}
	if d.Verb == Raise && d.Cause != NewRelease {
		if now.Sub(s.Raised) > raisesFor {
			s.Raises = 0
		}
		s.Raises++
		s.Raised = now
	}
	s.Amount = d.Amount
	return true
}

// DecideEvery is after how many executions there is a decision where nothing
// is urgent.
func DecideEvery(p Policy) int { return max(1, p.Threshold/4) }
