package sizing

import (
	"strconv"
	"strings"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

// The tags by which an owner says how a function is sized.
const (
	TagMode      = "hearth:sizing"           // off, recommend, apply
	TagMin       = "hearth:sizing-min"       // MB
	TagMax       = "hearth:sizing-max"       // MB
	TagGoal      = "hearth:sizing-goal"      // cost, balanced, speed, or a bound such as p95<200ms
	TagQuantile  = "hearth:sizing-quantile"  // the share of executions that must fit, 0.5 to 0.999999
	TagThreshold = "hearth:sizing-threshold" // executions before an amount is lowered
	TagProbe     = "hearth:sizing-probe"     // off, or the share of executions that may run at another amount, up to 0.1
	TagNotify    = "hearth:sizing-notify"    // where events go: a URL or a function of the account
)

// tagPrefix begins all of them.
const tagPrefix = "hearth:sizing"

// The defaults of a policy, and the bounds of what may be set.
const (
	DefaultQuantile  = 0.99999
	DefaultThreshold = 100

	MinMemory function.MemoryMB = 128
	MaxMemory function.MemoryMB = 10_240

	minQuantile, maxQuantile   = 0.5, 0.999999
	minThreshold, maxThreshold = 10, 1_000_000
	maxProbe                   = 0.1
	// Without a tag, an amount may grow to headroomFactor times what the owner
	// asked for, and to headroomLeast at least: many leave it at 128 MB.
	headroomFactor                   = 2
	headroomLeast  function.MemoryMB = 512
)

// Mode says what sizing does for a function.
type Mode uint8

// The modes. Recommend is the default.
const (
	Recommend Mode = iota
	Off
	Apply
)

func (m Mode) String() string { return [...]string{"recommend", "off", "apply"}[m] }

// Aim is what the owner wants of the amount of CPU.
type Aim uint8

// The aims. Balanced is the default.
const (
	Balanced Aim = iota
	Cost
	Speed
	Latency
)

// Goal is an aim, and for Latency its bound: Quantile of the durations is to
// stay below Bound.
type Goal struct {
	Aim      Aim
	Quantile float64
	Bound    time.Duration
}

func (g Goal) String() string {
	if g.Aim == Latency {
		return "p" + strconv.FormatFloat(g.Quantile*100, 'g', 6, 64) + "<" + g.Bound.String()
	}
	return [...]string{"balanced", "cost", "speed"}[g.Aim]
}

// Policy is what the owner of a function said about its sizing.
type Policy struct {
	Mode Mode
	// Asked is the owner's MemorySize; Min and Max bound every amount that
	// sizing gives.
	Asked, Min, Max function.MemoryMB
	Goal            Goal
	Quantile        float64
	Threshold       int
	// Window is the least time at an amount before it is lowered; a node's
	// option, not a tag.
	Window time.Duration
	// MBPerCPU is how much memory comes with one CPU; a node's option too, 0
	// for DefaultMBPerCPU.
	MBPerCPU int
	Probe    float64
	Notify   string
}

// PolicyOf returns the policy of a function that asks for so much memory. A tag
// that [CheckTags] would refuse counts as absent.
func PolicyOf(tags map[string]string, asked function.MemoryMB) Policy {
	p := defaults(asked)
	for tag, value := range tags {
		if strings.HasPrefix(tag, tagPrefix) {
			_ = p.set(tag, value)
		}
	}
	p.bound()
	return p
}

// CheckTags refuses values that sizing does not understand, as a [function.Error].
// Tags that are not sizing's are nobody's business here, unless they look it.
func CheckTags(tags map[string]string) error {
	p := defaults(function.DefaultMemory)
	for tag, value := range tags {
		if !strings.HasPrefix(tag, tagPrefix) {
			continue
		}
		if says := p.set(tag, value); says != "" {
			return refuse("The tag '%s' with the value '%.100s' is not valid: %s.", tag, value, says)
		}
	}
	if p.Min != 0 && p.Max != 0 && p.Min > p.Max {
		return refuse("The tag '%s' is %d MB, more than the %d MB of '%s'.", TagMin, p.Min, p.Max, TagMax)
	}
	return nil
}

func defaults(asked function.MemoryMB) Policy {
	return Policy{Asked: asked, Quantile: DefaultQuantile, Threshold: DefaultThreshold}
}

// set takes one tag and returns what is wrong with it, "" for nothing.
func (p *Policy) set(tag, value string) (says string) {
	switch tag {
	case TagMode:
		switch value {
		case "off":
			p.Mode = Off
		case "recommend":
			p.Mode = Recommend
		case "apply":
			p.Mode = Apply
		default:
			return "it must be off, recommend or apply"
		}
	case TagMin, TagMax:
		n, err := strconv.Atoi(value)
		mb := function.MemoryMB(n)
		if err != nil || mb < MinMemory || mb > MaxMemory {
			return "it must be a number of MB from " + strconv.Itoa(int(MinMemory)) + " to " + strconv.Itoa(int(MaxMemory))
		}
		if tag == TagMin {
			p.Min = mb
		} else {
			p.Max = mb
		}
	case TagGoal:
		g, ok := parseGoal(value)
		if !ok {
			return "it must be cost, balanced, speed, or a bound of a quantile of the duration such as p95<200ms"
		}
		p.Goal = g
	case TagQuantile:
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || !(minQuantile <= q && q <= maxQuantile) {
			return "it must be a number from 0.5 to 0.999999"
		}
		p.Quantile = q
	case TagThreshold:
		n, err := strconv.Atoi(value)
		if err != nil || n < minThreshold || n > maxThreshold {
			return "it must be a number of executions from 10 to 1000000"
		}
		p.Threshold = n
	case TagProbe:
		share, err := strconv.ParseFloat(value, 64)
		switch {
		case value == "off":
			p.Probe = 0
		case err != nil || !(0 <= share && share <= maxProbe):
			return "it must be off, or the share of executions that may run at another amount, up to 0.1"
		default:
			p.Probe = share
		}
	case TagNotify:
		if !validTarget(value) {
			return "it must be a URL that begins with http:// or https://, or the name of a function of this account"
		}
		p.Notify = value
	default:
		return "there is no such setting; there are " + strings.Join([]string{TagMode, TagMin, TagMax, TagGoal, TagQuantile, TagThreshold, TagProbe, TagNotify}, ", ")
	}
	return ""
}

// bound fills in bounds that no tag gave. An amount that was asked for is
// never out of bounds by default.
func (p *Policy) bound() {
	if p.Min > p.Max && p.Max != 0 {
		p.Min, p.Max = 0, 0 // CheckTags refuses it
	}
	if p.Max == 0 {
		p.Max = min(max(headroomFactor*p.Asked, headroomLeast, p.Min), MaxMemory)
	}
	if p.Min == 0 {
		p.Min = min(MinMemory, p.Max)
	}
}

// parseGoal reads a goal.
func parseGoal(s string) (Goal, bool) {
	switch s {
	case "balanced":
		return Goal{Aim: Balanced}, true
	case "cost":
		return Goal{Aim: Cost}, true
	case "speed":
		return Goal{Aim: Speed}, true
	}
	quantile, bound, found := strings.Cut(strings.ReplaceAll(s, " ", ""), "<")
	percent, isQuantile := strings.CutPrefix(quantile, "p")
	q, err := strconv.ParseFloat(percent, 64)
	d, errBound := time.ParseDuration(bound)
	if !found || !isQuantile || err != nil || errBound != nil || !(1 <= q && q <= 99.9) || d < time.Millisecond || d > 15*time.Minute {
		return Goal{}, false
	}
	return Goal{Aim: Latency, Quantile: q / 100, Bound: d}, true
}
