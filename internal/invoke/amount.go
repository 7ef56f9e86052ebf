package invoke

import (
	"fmt"
	"strconv"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/sizing"
	"github.com/hearthd/hearth/internal/worker"
)

// TagRetryOnOOM lets an invocation that was ended for want of memory run once
// more with more of it, when its value is "true". The function must bear that:
// what the first try did is done.
const TagRetryOnOOM = "hearth:retry-on-oom"

// growFactor is how many times what it began with an execution may be grown
// to, unless the owner asked for more than that.
const growFactor = 2

// Amounts say what executions are given: what the owner asked for, what sizing
// made of it, what a request wants.
type Amounts struct {
	Catalog *function.Catalog
	Sizing  *sizing.Sizing
	// Most is what the node can give one environment; 0 means no such bound.
	// What an owner asks for is never cut to it: the node says that it lacks
	// the memory.
	Most function.MemoryMB
}

// sized is what sizing gives the executions of a revision, as far as the node
// has that.
func (a Amounts) sized(view *function.View, rev *function.Revision) (_ worker.Amount, probe bool) {
	s, probe := a.Sizing.Amount(view, rev)
	memory := a.within(rev, s.Memory)
	return worker.Amount{Memory: memory, CPU: s.CPU, Ceiling: a.ceiling(view, rev, memory)}, probe
}

func (a Amounts) within(rev *function.Revision, memory function.MemoryMB) function.MemoryMB {
	if a.Most > 0 && memory > a.Most {
		return max(a.Most, min(memory, rev.Config.Memory))
	}
	return memory
}

// CheckTags refuses a value of [TagRetryOnOOM] that means nothing, as a
// [function.Error].
func CheckTags(tags map[string]string) error {
	switch v := tags[TagRetryOnOOM]; v {
	case "", "true", "false":
		return nil
	default:
		return &function.Error{Kind: function.InvalidParameter, Message: fmt.Sprintf("The tag '%s' with the value '%.100s' is not valid: it must be true or false.", TagRetryOnOOM, v)}
	}
}

// demand is the amount for one execution, and where it comes from.
type demand struct {
	worker.Amount
	override bool // the request's own
	probe    bool // sizing's, to learn from
}

// Of is the amount that an environment of a revision has by now, when no
// request says otherwise.
func (a Amounts) Of(rev *function.Revision) worker.Amount {
	view, ok := a.Catalog.Lookup(rev.Key)
	if !ok {
		return worker.Asked(rev)
	}
	sized, _ := a.sized(view, rev)
	return sized
}

// Effective is the memory that a revision's executions have, in place of what
// its owner asked for.
func (a Amounts) Effective(view *function.View, rev *function.Revision) function.MemoryMB {
	sized, _ := a.sized(view, rev)
	return sized.Memory
}

// demand is the amount for a request; wanted is its X-Hearth-Memory-Size.
func (a Amounts) demand(view *function.View, rev *function.Revision, wanted string) (demand, error) {
	if wanted == "" {
		sized, probe := a.sized(view, rev)
		return demand{Amount: sized, probe: probe}, nil
	}
	least, most := bounds(view, rev)
	n, err := strconv.Atoi(wanted)
	memory := function.MemoryMB(n)
	if err != nil || memory < least || memory > most {
		return demand{}, &Error{Kind: KindInvalidParameter, Message: fmt.Sprintf(
			"X-Hearth-Memory-Size is '%.20s' and must be a number of MB from %d to %d: the function's own bounds, tags %s and %s or else its MemorySize.",
			wanted, least, most, sizing.TagMin, sizing.TagMax)}
	}
	return demand{Amount: worker.Amount{Memory: memory, CPU: memory, Ceiling: a.ceiling(view, rev, memory)}, override: true}, nil
}

// bounds are what a request may ask for. Who calls a function is not always
// who pays for it, so it is never more than its owner asked for or allowed.
func bounds(view *function.View, rev *function.Revision) (least, most function.MemoryMB) {
	p := sizing.PolicyOf(view.Tags, rev.Config.Memory)
	most = rev.Config.Memory
	if view.Tags[sizing.TagMax] != "" {
		most = p.Max
	}
	return min(p.Min, most), most
}

// ceiling is how far an execution may be grown in place where the owner lets
// amounts be applied: to twice what it begins with, or to what the owner asked
// for, within the function's bounds.
func (a Amounts) ceiling(view *function.View, rev *function.Revision, memory function.MemoryMB) function.MemoryMB {
	if view.Tags[sizing.TagMode] != sizing.Apply.String() {
		return 0
	}
	p := sizing.PolicyOf(view.Tags, rev.Config.Memory)
	return a.within(rev, min(p.Max, max(growFactor*memory, p.Asked)))
}

// larger is the amount to try again with after an execution that ran out of
// memory with had; false when the function may not have more, or is not to be
// tried again.
func (a Amounts) larger(d demand, view *function.View, rev *function.Revision, had function.MemoryMB) (demand, bool) {
	if view.Tags[TagRetryOnOOM] != "true" {
		return d, false
	}
	p := sizing.PolicyOf(view.Tags, rev.Config.Memory)
	next := a.within(rev, min(p.Max, max(growFactor*had, p.Asked)))
	if next <= had {
		return d, false
	}
	d.Memory, d.CPU = next, max(d.CPU, next)
	d.Ceiling = a.ceiling(view, rev, next)
	return d, true
}
