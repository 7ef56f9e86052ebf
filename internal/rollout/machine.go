package rollout

import (
	"fmt"
	"strconv"
	"time"
)

// State is where a roll-out is.
//
//	Pending ──▶ PreHook ──▶ Stepping ──▶ PostHook ──▶ Succeeded
//	   │           │         │  ▲ │          │
//	   │           │   pause ▼  │ │          │
//	   │           │        Paused│          │
//	   │           │           │  │          │
//	   ▼           ▼           ▼  ▼          ▼
//	 Aborted   RolledBack     RollingBack ◀──┘  a guard, a hook, or the user
//	           or Aborted          │
//	                               ▼
//	                       RolledBack or Aborted
//
// A state without a hook is skipped. From every state that is not an end, a
// change of the alias by somebody else leads to Superseded.
type State string

// The states; the last four are ends.
const (
	Pending     State = "pending"
	PreHook     State = "pre-hook"
	Stepping    State = "stepping"
	Paused      State = "paused"
	PostHook    State = "post-hook"
	RollingBack State = "rolling-back"
	Succeeded   State = "succeeded"
	RolledBack  State = "rolled-back"
	Aborted     State = "aborted"
	Superseded  State = "superseded"
)

// Ended tells whether nothing more happens.
func (s State) Ended() bool {
	switch s {
	case Succeeded, RolledBack, Aborted, Superseded:
		return true
	}
	return false
}

// input is what can happen to a roll-out.
type input int

const (
	begun      input = iota // somebody drives it
	hookPassed              // the hook of the state came to a good end
	hookFailed              // or to a bad one
	applied                 // the alias has the weights of the step
	stepOver                // the step's time is over
	alarmed                 // a guard spoke, or the new version can't be used
	restored                // the alias points at the old version again
	overtaken               // somebody else changed the alias
	askPause
	askResume
	askAbort
)

// apply makes the transition that in leads to, with why as its event, or
// returns a Conflict when the state knows no such input. It is the only place
// where the state of a roll-out changes.
func (r *record) apply(in input, why string, now time.Time) error {
	if !r.State.Ended() && in == overtaken {
		r.end(Superseded, why, now)
		return nil
	}
	switch r.State {
	case Pending:
		switch in {
		case begun:
			if r.PreHook != "" {
				r.enter(PreHook, "asking "+r.PreHook+" whether version "+r.To+" may have requests", now)
			} else {
				r.enterStep(0, now)
			}
			return nil
		case askAbort:
			r.end(Aborted, why, now)
			return nil
		}
	case PreHook:
		switch in {
		case hookPassed:
			r.note(now, why)
			r.enterStep(0, now)
			return nil
		case hookFailed:
			r.end(RolledBack, why, now)
			return nil
		case askAbort:
			r.end(Aborted, why, now)
			return nil
		}
	case Stepping:
		switch in {
		case applied:
			r.arrive(now)
			return nil
		case stepOver:
			if !r.Applied || now.Before(*r.StepEnds) {
				break
			}
			r.leaveStep(now)
			return nil
		case askPause:
			r.pause(why, now)
			return nil
		case alarmed:
			r.rollBack(RolledBack, why, now)
			return nil
		case askAbort:
			r.rollBack(Aborted, why, now)
			return nil
		}
	case Paused:
		switch in {
		case askResume:
			r.resume(why, now)
			return nil
		case alarmed:
			r.rollBack(RolledBack, why, now)
			return nil
		case askAbort:
			r.rollBack(Aborted, why, now)
			return nil
		}
	case PostHook:
		switch in {
		case hookPassed:
			r.note(now, why)
			r.end(Succeeded, r.done(), now)
			return nil
		case hookFailed, alarmed:
			r.rollBack(RolledBack, why, now)
			return nil
		case askAbort:
			r.rollBack(Aborted, why, now)
			return nil
		}
	case RollingBack:
		if in == restored {
			r.end(r.Outcome, r.Reason, now)
			return nil
		}
	}
	return r.refusal(in)
}

// refusal says why the state knows no such input.
func (r *record) refusal(in input) error {
	switch {
	case r.State.Ended():
		return refuse(Conflict, "roll-out %s has ended: %s", r.ID, r.State)
	case in == askAbort && r.State == RollingBack:
		return refuse(Conflict, "roll-out %s is being rolled back already: %s", r.ID, r.Reason)
	case in == askPause && r.State == Paused:
		return refuse(Conflict, "roll-out %s is paused already", r.ID)
	case in == askPause:
		return refuse(Conflict, "roll-out %s is in state %s and can be paused only between its steps; abort it instead", r.ID, r.State)
	case in == askResume:
		return refuse(Conflict, "roll-out %s is in state %s, not paused", r.ID, r.State)
	}
	return refuse(Conflict, "roll-out %s is in state %s", r.ID, r.State)
}

func (r *record) enter(s State, why string, now time.Time) {
	r.State, r.StepEnds, r.RemainingSeconds = s, nil, 0
	r.note(now, why)
}

func (r *record) end(s State, why string, now time.Time) {
	r.enter(s, why, now)
	ended := now.UTC()
	r.Ended = &ended
	switch s {
	case Succeeded:
	case RolledBack, Aborted:
		r.Reason, r.Percent = why, 0
	default:
		r.Reason = why
	}
}

// enterStep is the intention; the alias follows, and then arrive.
func (r *record) enterStep(i int, now time.Time) {
	r.Step, r.Applied = i, false
	r.enter(Stepping, fmt.Sprintf("step %d of %d: version %s is to get %s%% of the requests", i+1, len(r.Steps), r.To, percent(r.Steps[i].Percent)), now)
}

// arrive begins the step's time: the alias has its weights.
func (r *record) arrive(now time.Time) {
	ends := now.Add(r.step().duration()).UTC()
	r.Applied, r.Percent, r.StepEnds = true, r.step().Percent, &ends
	message := "version " + r.To + " gets " + percent(r.Percent) + "% of the requests"
	if r.step().Seconds > 0 {
		message += " for " + r.step().duration().String()
	}
	r.note(now, message)
}

func (r *record) leaveStep(now time.Time) {
	switch {
	case r.Step+1 < len(r.Steps):
		r.enterStep(r.Step+1, now)
	case r.PostHook != "":
		r.enter(PostHook, "asking "+r.PostHook+" whether version "+r.To+" may stay", now)
	default:
		r.end(Succeeded, r.done(), now)
	}
}

func (r *record) done() string { return "alias " + r.Alias + " points at version " + r.To }

func (r *record) pause(why string, now time.Time) {
	left := r.step().Seconds
	if r.StepEnds != nil {
		left = max(0, r.StepEnds.Sub(now).Seconds())
	}
	r.enter(Paused, why, now)
	r.RemainingSeconds = left
}

// resume goes on with what was left of the step's time, or with moving the
// alias if that was not done.
func (r *record) resume(why string, now time.Time) {
	left := time.Duration(r.RemainingSeconds * float64(time.Second))
	r.enter(Stepping, why, now)
	if r.Applied {
		ends := now.Add(left).UTC()
		r.StepEnds = &ends
	}
}

// rollBack is the intention; the alias follows, and then restored.
func (r *record) rollBack(outcome State, why string, now time.Time) {
	r.Outcome, r.Reason = outcome, why
	r.enter(RollingBack, why, now)
}

func percent(p float64) string { return strconv.FormatFloat(p, 'g', 6, 64) }
