package rollout

import (
	"slices"
	"strconv"
	"strings"
)

// Metric is what a guard looks at.
type Metric string

// The metrics.
const (
	Errors   Metric = "errors"   // requests answered with an error of the function's, time-outs among them
	Timeouts Metric = "timeouts" // requests that timed out
	P50      Metric = "p50"      // the median duration
	P99      Metric = "p99"      // the duration that 1% of the requests exceed
	Memory   Metric = "memory"   // the peak of the environment's memory
)

// Metrics lists them all.
var Metrics = []Metric{Errors, Timeouts, P50, P99, Memory}

// The defaults of a [Spec].
const (
	DefaultAlpha     = 0.01
	DefaultMinSample = 5
)

// Guard is a limit to how much worse than the old version the new one may be.
type Guard struct {
	Metric Metric `json:"metric"`
	// Margin is by how much the new version's share of bad requests may exceed
	// the old one's, 0 to 1. Bad is, for errors and timeouts, what failed; for
	// the others, what exceeds Ratio times the old version's quantile.
	Margin float64 `json:"margin"`
	// Ratio is for p50, p99 and memory.
	Ratio float64 `json:"ratio,omitempty"`
}

// DefaultGuards are what a roll-out has when nothing is said.
func DefaultGuards() []Guard {
	return []Guard{
		{Metric: Errors, Margin: 0.01},
		{Metric: Timeouts, Margin: 0.005},
		{Metric: P50, Margin: 0.1, Ratio: 1.5},
		{Metric: P99, Margin: 0.02, Ratio: 2},
		{Metric: Memory, Margin: 0.1, Ratio: 1.5},
	}
}

// ParseGuards changes the default guards by what people write: errors=2%,
// p99=3x, p99=3x+5%, memory=off, or none for no guards at all.
func ParseGuards(words []string) ([]Guard, error) {
	guards := DefaultGuards()
	for _, word := range words {
		if word == "none" {
			guards = []Guard{}
			continue
		}
		name, value, _ := strings.Cut(word, "=")
		metric := Metric(name)
		at := slices.IndexFunc(guards, func(g Guard) bool { return g.Metric == metric })
		switch {
		case !slices.Contains(Metrics, metric):
			return nil, refuse(Invalid, "there is no guard %q: use errors, timeouts, p50, p99, memory, or none", name)
		case value == "off":
			guards = slices.DeleteFunc(guards, func(g Guard) bool { return g.Metric == metric })
			continue
		case at < 0: // switched off before
			guards = append(guards, DefaultGuards()[slices.Index(Metrics, metric)])
			at = len(guards) - 1
		}
		if err := guards[at].set(value); err != nil {
			return nil, err
		}
	}
	return guards, checkGuards(guards)
}

// set reads 2%, 3x or 3x+5%.
func (g *Guard) set(value string) error {
	bad := refuse(Invalid, "guard %s=%s: want a margin such as 2%%, or off", g.Metric, value)
	if g.Ratio > 0 {
		bad = refuse(Invalid, "guard %s=%s: want a ratio such as 2x, with a margin 2x+5%%, or off", g.Metric, value)
		ratio, margin, both := strings.Cut(value, "x")
		if !both {
			return bad
		}
		var err error
		if g.Ratio, err = strconv.ParseFloat(ratio, 64); err != nil {
			return bad
		}
		if value = strings.TrimPrefix(margin, "+"); value == "" {
			return nil
		}
	}
	percent, err := strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64)
	if err != nil || !strings.HasSuffix(value, "%") {
		return bad
	}
	g.Margin = percent / 100
	return nil
}

func checkGuards(guards []Guard) error {
	for i, g := range guards {
		switch {
		case !slices.Contains(Metrics, g.Metric):
			return refuse(Invalid, "there is no guard %q: use errors, timeouts, p50, p99 or memory", g.Metric)
		case slices.ContainsFunc(guards[:i], func(other Guard) bool { return other.Metric == g.Metric }):
			return refuse(Invalid, "there are two guards of %s", g.Metric)
		case !(g.Margin >= 0 && g.Margin < 1): // NaN too
			return refuse(Invalid, "guard %s: the margin is 0%% to 99%%, not %g%%", g.Metric, g.Margin*100)
		case !g.isRate() && !(g.Ratio >= 1 && g.Ratio <= 1000):
			return refuse(Invalid, "guard %s: the ratio is 1 to 1000, not %g", g.Metric, g.Ratio)
		}
	}
	return nil
}

// isRate tells guards of what failed from guards of amounts.
func (g Guard) isRate() bool { return g.Metric == Errors || g.Metric == Timeouts }
