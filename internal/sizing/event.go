package sizing

import (
	"time"

	"github.com/google/uuid"

	"github.com/hearthd/hearth/internal/function"
)

// pendingKept bounds the events of a version that wait for their receivers;
// the oldest make room.
const pendingKept = 16

// The types of events.
const (
	EventRecommendation = "recommendation"
	EventAdjustment     = "adjustment"
	EventFailures       = "repeated-failure"
)

// Event tells an owner of something; it is sent as JSON. The same event may
// come twice, with the same ID.
type Event struct {
	ID       string            `json:"id"`
	Type     string            `json:"type"`
	Time     time.Time         `json:"time"`
	Account  string            `json:"account"`
	Function string            `json:"function"`
	Version  string            `json:"version"`
	AskedMB  function.MemoryMB `json:"askedMB"`
	// FromMB is what was in force, ToMB what is or should be.
	FromMB function.MemoryMB `json:"fromMB"`
	ToMB   function.MemoryMB `json:"toMB"`
	Cause  Cause             `json:"cause"`
	Reason string            `json:"reason"`
}

// pending is an event on its way, as it stands in the record.
type pending struct {
	Event  Event
	Target string
	// Operator is true where the node's options name the target, and not the
	// function's owner.
	Operator bool
}

// tell adds an event to what is to be delivered, for each of its receivers.
func (r *record) tell(s *Sizing, p Policy, kind string, d *Decision, before Amount, now time.Time) {
	e := Event{
		Type: kind, Time: now, Account: string(r.Function.Account), Function: r.Function.Name, Version: r.Version,
		AskedMB: p.Asked, FromMB: before.Memory, ToMB: d.Recommended.Memory, Cause: d.Cause, Reason: d.Reason,
	}
	if kind == EventAdjustment {
		e.ToMB = d.Amount.Memory
	}
	add := func(target string, operator bool) {
		if target != "" {
			e.ID = uuid.NewString()
			r.Pending = append(r.Pending, pending{e, target, operator})
		}
	}
	add(p.Notify, false)
	add(s.opts.Notify, true)
	r.Pending = r.Pending[max(0, len(r.Pending)-pendingKept):]
}
