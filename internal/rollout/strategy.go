package rollout

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// AllAtOnce is the strategy of one step.
const AllAtOnce = "all-at-once"

// maxSteps bounds a roll-out, and what is stored of it.
const maxSteps = 100

// Step is a part of the requests that the new version gets for some time.
type Step struct {
	// Percent of the alias's requests, 0 to 100. A step of 0 observes the old
	// version, one of 100 the new one, before the roll-out goes on.
	Percent float64 `json:"percent"`
	// Seconds is for how long.
	Seconds float64 `json:"seconds"`
}

func (s Step) duration() time.Duration { return time.Duration(s.Seconds * float64(time.Second)) }

// Strategies are the names that CodeDeploy knows, for completion. Any numbers
// may stand in their places.
var Strategies = []string{
	"canary10percent5minutes", "canary10percent10minutes", "canary10percent15minutes", "canary10percent30minutes",
	"linear10percentevery1minute", "linear10percentevery2minutes", "linear10percentevery3minutes", "linear10percentevery10minutes",
	AllAtOnce,
}

var (
	canaryName = regexp.MustCompile(`^canary([0-9]+)percent([0-9]+)(second|minute|hour)s?$`)
	linearName = regexp.MustCompile(`^linear([0-9]+)percentevery([0-9]+)(second|minute|hour)s?$`)
	separators = strings.NewReplacer("-", "", "_", "", " ", "")
)

// ParseStrategy returns the steps of a strategy: one of CodeDeploy's names for
// Lambda (with or without "CodeDeployDefault.", "Lambda" and dashes, in any
// case), or one like them with other numbers.
func ParseStrategy(name string) ([]Step, error) {
	plain := separators.Replace(strings.ToLower(name))
	plain = strings.TrimPrefix(strings.TrimPrefix(plain, "codedeploydefault."), "lambda")
	if plain == "allatonce" {
		return []Step{{Percent: 100}}, nil
	}
	units := map[string]float64{"second": 1, "minute": 60, "hour": 3600}
	if m := canaryName.FindStringSubmatch(plain); m != nil {
		percent, n := number(m[1]), number(m[2])
		if percent > 0 && percent < 100 {
			return []Step{{percent, n * units[m[3]]}, {Percent: 100}}, nil
		}
		return nil, refuse(Invalid, "strategy %s: a canary gets more than 0 and less than 100 percent", name)
	}
	if m := linearName.FindStringSubmatch(plain); m != nil {
		percent, n := number(m[1]), number(m[2])
		if percent < 1 || percent >= 100 {
			return nil, refuse(Invalid, "strategy %s: steps are of 1 to 99 percent", name)
		}
		var steps []Step
		for at := percent; at < 100; at += percent {
			steps = append(steps, Step{at, n * units[m[3]]})
		}
		return append(steps, Step{Percent: 100}), nil
	}
	return nil, refuse(Invalid, "there is no strategy %q: use %s, the same with other numbers, or steps such as 1%%:30s,10%%:1m,50%%:5m", name, strings.Join(Strategies, ", "))
}

func number(digits string) float64 {
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return -1 // out of range; no step takes it
	}
	return n
}

// ParseSteps reads steps as people write them: 1%:30s,10%:1m,50%:5m.
func ParseSteps(s string) ([]Step, error) {
	var steps []Step
	for part := range strings.SplitSeq(s, ",") {
		share, length, timed := strings.Cut(strings.TrimSpace(part), ":")
		percent, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(share), "%"), 64)
		if err != nil {
			return nil, refuse(Invalid, "step %q: want a percentage and a time, such as 10%%:1m", part)
		}
		step := Step{Percent: percent}
		if timed {
			d, err := time.ParseDuration(strings.TrimSpace(length))
			if err != nil {
				return nil, refuse(Invalid, "step %q: %q is no time; write 30s, 5m or 1h", part, length)
			}
			step.Seconds = d.Seconds()
		} else if percent != 100 {
			return nil, refuse(Invalid, "step %q: say for how long, such as %g%%:1m", part, percent)
		}
		steps = append(steps, step)
	}
	return complete(steps)
}

// complete checks steps, and adds the one to 100% where it is left out.
func complete(steps []Step) ([]Step, error) {
	if len(steps) == 0 {
		return nil, refuse(Invalid, "a roll-out needs steps")
	}
	if steps[len(steps)-1].Percent != 100 {
		steps = append(steps[:len(steps):len(steps)], Step{Percent: 100})
	}
	if len(steps) > maxSteps {
		return nil, refuse(Invalid, "a roll-out has %d steps at most, not %d", maxSteps, len(steps))
	}
	for i, s := range steps {
		switch {
		case !(s.Percent >= 0 && s.Percent <= 100): // NaN too
			return nil, refuse(Invalid, "step %d: %g is not a percentage from 0 to 100", i+1, s.Percent)
		case !(s.Seconds >= 0 && s.Seconds <= 30*24*3600):
			return nil, refuse(Invalid, "step %d: a step takes 0 seconds to 30 days", i+1)
		case i > 0 && s.Percent <= steps[i-1].Percent:
			return nil, refuse(Invalid, "step %d: %g%% after %g%%: the new version's part must grow from step to step", i+1, s.Percent, steps[i-1].Percent)
		}
	}
	return steps, nil
}
