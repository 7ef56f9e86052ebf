package rollout

import (
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/rollout/evidence"
)

// Spec asks for a roll-out.
type Spec struct {
	Function string `json:"function"`
	Alias    string `json:"alias"`
	// To is the version that the alias shall point at; "" is the newest one.
	To string `json:"to,omitempty"`
	// Strategy or Steps say how; a roll-out with neither is a canary of 10% for
	// five minutes.
	Strategy string `json:"strategy,omitempty"`
	Steps    []Step `json:"steps,omitempty"`
	// BakeSeconds is how long the new version is observed after it got all
	// requests, before the roll-out succeeds.
	BakeSeconds float64 `json:"bakeSeconds,omitempty"`
	// PreHook and PostHook are functions of the account's, NAME or
	// NAME:QUALIFIER, that are called before any request moves and after all have.
	PreHook  string `json:"preHook,omitempty"`
	PostHook string `json:"postHook,omitempty"`
	// Guards are the default ones when nil, and none when empty.
	Guards []Guard `json:"guards"`
	// Alpha is the probability with which a version that is not worse than
	// tolerated may be rolled back; 0 is DefaultAlpha.
	Alpha float64 `json:"alpha,omitempty"`
	// MinSample is how many requests the new version answers before a guard may
	// speak; 0 is DefaultMinSample.
	MinSample int `json:"minSample,omitempty"`
}

// Rollout is one roll-out at a moment.
type Rollout struct {
	// ID is FUNCTION.ALIAS.N.
	ID       string `json:"id"`
	Function string `json:"function"`
	Alias    string `json:"alias"`
	From     string `json:"from"`
	To       string `json:"to"`

	Strategy  string  `json:"strategy"`
	Steps     []Step  `json:"steps"`
	PreHook   string  `json:"preHook,omitempty"`
	PostHook  string  `json:"postHook,omitempty"`
	Alpha     float64 `json:"alpha"`
	MinSample int     `json:"minSample"`

	State State `json:"state"`
	// Step is the index of the present one in Steps.
	Step int `json:"step"`
	// Percent of the alias's requests are the new version's.
	Percent float64 `json:"percent"`
	// StepEnds is when the present step is over; nil while the alias is being
	// moved, while the roll-out is paused, and when it is in no step.
	StepEnds *time.Time `json:"stepEnds,omitempty"`
	// RemainingSeconds of the step are left when a paused roll-out is resumed.
	RemainingSeconds float64 `json:"remainingSeconds,omitempty"`
	// Reason says why the roll-out did not succeed.
	Reason  string     `json:"reason,omitempty"`
	Created time.Time  `json:"created"`
	Ended   *time.Time `json:"ended,omitempty"`

	Guards []GuardStatus `json:"guards"`
	Events []Event       `json:"events"`
}

// GuardStatus is a guard and what it has seen.
type GuardStatus struct {
	Guard
	// Threshold is what a request exceeds to count as bad, in milliseconds or
	// bytes; 0 while not enough is known of the old version. Not for rates.
	Threshold float64 `json:"threshold,omitempty"`
	// Old and New are requests, and the bad ones among them as hits.
	Old evidence.Counts `json:"old"`
	New evidence.Counts `json:"new"`
	// Evidence against the new version, and from which on it is rolled back.
	Evidence float64 `json:"evidence"`
	AlarmAt  float64 `json:"alarmAt"`
}

// Event is something that happened, and why.
type Event struct {
	// N counts a roll-out's events from 1.
	N       int       `json:"n"`
	Time    time.Time `json:"time"`
	State   State     `json:"state"` // after it
	Message string    `json:"message"`
}

// maxEvents are kept of a roll-out, the newest.
const maxEvents = 200

// record is a roll-out as stored.
type record struct {
	Rollout
	Account    account.ID `json:"account"`
	FunctionID string     `json:"functionId"`
	// Applied says that the alias has the weights of the present step.
	Applied bool `json:"applied"`
	// Outcome is the state that follows RollingBack.
	Outcome State `json:"outcome,omitempty"`
	// Tests is what the guards have found so far.
	Tests []trial `json:"tests"`
}

func (r *record) key() function.Key { return function.Key{Account: r.Account, Name: r.Function} }

// step is the present one.
func (r *record) step() Step { return r.Steps[r.Step] }

// bakes tells whether the new version is observed after it got all requests.
func (r *record) bakes() bool { return r.Steps[len(r.Steps)-1].Seconds > 0 }

// note appends an event.
func (r *record) note(now time.Time, message string) {
	n := 1
	if len(r.Events) > 0 {
		n += r.Events[len(r.Events)-1].N
	}
	r.Events = append(r.Events, Event{N: n, Time: now.UTC(), State: r.State, Message: message})
	if extra := len(r.Events) - maxEvents; extra > 0 {
		r.Events = append([]Event{}, r.Events[extra:]...)
	}
}
