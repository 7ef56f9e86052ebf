package sizing

import "fmt"

const (
	// A leak: the peaks follow the age of the environment with leakFit (r²) or
	// more, and grow by leakGrowth of their mean over the ages seen.
	leakFit, leakGrowth = 0.5, 0.15
	// Two groups: a gap by the factor modeGap with at least modeShare of the
	// executions on either side.
	modeGap, modeShare = 1.5, 0.03
	// Steady: the highest peak is within this share of the median.
	steadyWithin = 0.1
	// patternLeast is how many executions a pattern is looked for in.
	patternLeast = 50
)

// Shape names how a function uses memory.
type Shape string

// The shapes.
const (
	Steady   Shape = "steady"   // always much the same
	Varied   Shape = "varied"   // depends on the input
	Bimodal  Shape = "bimodal"  // two kinds of executions
	Spiky    Shape = "spiky"    // rare executions need far more than the rest
	Growing  Shape = "growing"  // more hour by hour
	Releases Shape = "releases" // more with every release
	Stepped  Shape = "stepped"  // this release differs from the one before
	Leaking  Shape = "leaking"  // more with every execution in an environment
)

// Pattern is a shape that was recognised, with its numbers in words.
type Pattern struct {
	Shape  Shape  `json:"shape"`
	Detail string `json:"detail"`
}

// patterns recognises shapes, the most telling first.
func (v *Evidence) patterns() []Pattern {
	if v.executions < patternLeast {
		return nil
	}
	var found []Pattern
	add := func(s Shape, format string, args ...any) {
		found = append(found, Pattern{s, fmt.Sprintf(format, args...)})
	}
	if v.leaks() {
		add(Leaking, "each execution in an environment leaves about %.2g MB behind; a larger amount only delays the end", v.aging.slope())
	}
	if ratio, first := v.grownByRelease(); ratio > 1 {
		add(Releases, "the last %d releases used %.0f%% more each, from %.0f MB on", len(v.prior.Before)+1, (ratio-1)*100, first)
	} else if before, now := v.step(); before > 0 {
		add(Stepped, "this release uses %.0f MB on average, the one before it %.0f MB", now, before)
	}
	if more := v.forecast(); more > 0 {
		add(Growing, "the highest use grows by %.1f MB an hour", more/forecastHours)
	}
	middle, most := v.memory.quantile(memoryMapping, 0.5), v.peaks.max()
	low, high, share := v.modes()
	switch {
	case share > 0:
		add(Bimodal, "%.0f%% of the executions use about %.0f MB, the others about %.0f MB", 100*(1-share), low, high)
	case most <= middle*(1+steadyWithin):
		add(Steady, "%.0f MB, and never more than %.0f MB", middle, most)
	case most > 1.5*v.memory.quantile(memoryMapping, 0.99):
		add(Spiky, "99%% of the executions fit in %.0f MB, and one needed %.0f MB", v.memory.quantile(memoryMapping, 0.99), most)
	case len(found) == 0:
		add(Varied, "from %.0f MB (median) to %.0f MB", middle, most)
	}
	return found
}

// leaks tells growth within an environment's life from a step, which new
// environments show as well.
func (v *Evidence) leaks() bool {
	l := &v.aging
	if v.executions < patternLeast || l.n == 0 || l.fit() < leakFit || l.slope() <= 0 {
		return false
	}
	// The ages seen lie about two standard deviations around their mean.
	mean := l.y / l.n
	ages := l.x / l.n * 2
	return l.slope()*ages >= leakGrowth*mean
}

// modes finds the widest gap in the values with a worthy share on either side:
// the means below and above it and the share above, or 0.
func (v *Evidence) modes() (low, high, share float64) {
	total := v.memory.bins.TotalCount()
	var below, sumBelow, last, sum float64
	widest := modeGap
	v.memory.each(memoryMapping, func(x, w float64) { sum += x * w })
	v.memory.each(memoryMapping, func(x, w float64) {
		if last > 0 && x/last >= widest && below >= modeShare*total && total-below >= modeShare*total {
			widest = x / last
			low, high, share = sumBelow/below, (sum-sumBelow)/(total-below), 1-below/total
		}
		if w >= total*0.001 { // a few values in a gap do not close it
			last = x
		}
		below += w
		sumBelow += x * w
	})
	return low, high, share
}

// step returns the mean use before and since this release where they differ
// much, and 0 otherwise.
func (v *Evidence) step() (before, now float64) {
	if len(v.prior.Before) == 0 || v.release.Executions < patternLeast || v.prior.Before[0].Executions < patternLeast {
		return 0, 0
	}
	before, now = v.prior.Before[0].mean(), v.release.mean()
	if now > before*steppedBy || now < before/steppedBy {
		return before, now
	}
	return 0, 0
}

// grownByRelease returns the factor by which use grew with each of the last
// releases, three at least, and what it was before; 1 where it did not.
func (v *Evidence) grownByRelease() (ratio, first float64) {
	const releases, least = 3, 1.03
	if len(v.prior.Before) < releases-1 || v.release.Executions < patternLeast {
		return 1, 0
	}
	now := v.release.mean()
	ratio = 0
	for i := range releases - 1 {
		before := v.prior.Before[i].mean()
		if before <= 0 || now/before < least {
			return 1, 0
		}
		if r := now / before; ratio == 0 || r < ratio {
			ratio = r
		}
		now = before
	}
	return ratio, now
}
