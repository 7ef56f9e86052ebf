package function

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// The tags by which an owner says how a function is updated. Those of the
// first two may carry ":" and an alias's name; they are for that alias then.
const (
	TagUpdatePolicy  = "hearth:update-policy"
	TagMaxStaleness  = "hearth:max-staleness"
	TagUpdateTrigger = "hearth:update-trigger"
)

// UpdatePolicy says what answers a request while what it asks for is being
// prepared: what served before, as long as that is not behind for longer than
// MaxStaleness; the request waits then.
type UpdatePolicy struct {
	MaxStaleness time.Duration
}

// The policies by name.
var (
	ServePrevious = UpdatePolicy{MaxStaleness: math.MaxInt64}
	Strict        = UpdatePolicy{}
)

// maxStalenessSec is more than anybody can want, and fits a Duration.
const maxStalenessSec = 1_000_000_000

// ParseUpdatePolicy reads a policy as headers and tags have it:
//
//	strict
//	serve-previous
//	serve-previous;max-staleness=SECONDS
//
// The error is an [*Error] of kind [InvalidParameter].
func ParseUpdatePolicy(s string) (UpdatePolicy, error) {
	name, rest, bounded := strings.Cut(s, ";")
	switch name = strings.TrimSpace(name); {
	case name == "strict" && !bounded:
		return Strict, nil
	case name == "serve-previous" && !bounded:
		return ServePrevious, nil
	case name == "serve-previous":
		if seconds, ok := strings.CutPrefix(strings.TrimSpace(rest), "max-staleness="); ok {
			return parseStaleness(seconds)
		}
	}
	return UpdatePolicy{}, fail(InvalidParameter, "%.100q is no update policy. Use strict, serve-previous, or serve-previous;max-staleness=SECONDS.", s)
}

func parseStaleness(s string) (UpdatePolicy, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > maxStalenessSec {
		return UpdatePolicy{}, fail(InvalidParameter, "%.100q is no staleness: a whole number of seconds, as in max-staleness=5.", s)
	}
	return UpdatePolicy{MaxStaleness: time.Duration(n) * time.Second}, nil
}

// Trigger says what begins the preparation of an update.
type Trigger string

// The values of TagUpdateTrigger.
const (
	// OnUpdate prepares an update at once; the default.
	OnUpdate Trigger = "update"
	// OnRequest prepares it when the next request comes.
	OnRequest Trigger = "request"
)

// checkUpdateTag refuses values that the tags of this file can't have.
func checkUpdateTag(key, value string) error {
	var err error
	switch {
	case key == TagUpdateTrigger:
		if t := Trigger(value); t != OnUpdate && t != OnRequest {
			err = fail(InvalidParameter, "%.100q is no trigger: update or request.", value)
		}
	case key == TagUpdatePolicy || strings.HasPrefix(key, TagUpdatePolicy+":"):
		_, err = ParseUpdatePolicy(value)
	case key == TagMaxStaleness || strings.HasPrefix(key, TagMaxStaleness+":"):
		_, err = parseStaleness(value)
	}
	if err != nil {
		return fail(InvalidParameter, "Tag %s: %s", key, err)
	}
	return nil
}

// UpdatePolicy is the policy for requests that name the alias, or none ("").
// A tag for the alias goes before the function's.
func (v *View) UpdatePolicy(alias string) UpdatePolicy {
	policy := ServePrevious
	if value, ok := v.updateTag(TagUpdatePolicy, alias); ok {
		if p, err := ParseUpdatePolicy(value); err == nil {
			policy = p
		}
	}
	if policy != ServePrevious {
		return policy // strict, or with a bound of its own
	}
	if value, ok := v.updateTag(TagMaxStaleness, alias); ok {
		if p, err := parseStaleness(value); err == nil {
			policy = p
		}
	}
	return policy
}

func (v *View) updateTag(tag, alias string) (value string, ok bool) {
	if alias != "" {
		if value, ok = v.Tags[tag+":"+alias]; ok {
			return value, true
		}
	}
	value, ok = v.Tags[tag]
	return value, ok
}

// Trigger is what begins the preparation of the function's updates.
func (v *View) Trigger() Trigger {
	if Trigger(v.Tags[TagUpdateTrigger]) == OnRequest {
		return OnRequest
	}
	return OnUpdate
}
