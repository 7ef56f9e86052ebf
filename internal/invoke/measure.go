package invoke

import (
	"fmt"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/sandbox"
	"github.com/hearthd/hearth/internal/sizing"
	"github.com/hearthd/hearth/internal/worker"
)

// nearLimit: an execution ran short of memory when less than this share of it
// was left.
const nearLimit = 16

// execution is what sizing learns from a call.
func (c *call) execution(out *worker.Outcome, used *sandbox.Measures) sizing.Execution {
	x := sizing.Execution{
		At:     c.began,
		Amount: sizing.Amount{Memory: c.amount.Memory, CPU: c.amount.CPU}, Grown: c.env.Amount().Memory,
		Nth:  int(c.env.Invocations()),
		Peak: used.Peak, CPU: used.CPU, Throttled: used.Throttled, Duration: out.Duration, Init: c.init,
		Read: used.Read, Written: used.Written, Received: used.Received, Sent: used.Sent, Pids: used.Pids,
		Override: c.demand.override, Probe: c.demand.probe,
	}
	switch {
	case out.TimedOut:
		x.Outcome = sizing.TimedOut
	case out.Exit != nil && out.Exit.OOM:
		x.Outcome = sizing.OutOfMemory
	case out.Exit != nil || out.Result.Error || out.Result.TooLarge > 0:
		x.Outcome = sizing.FunctionError
	}
	return x
}

// suggestion is the line in the log of an execution that had too little, and ""
// for others.
func (c *call) suggestion(x *sizing.Execution) string {
	had := max(x.Grown, x.Amount.Memory)
	short := x.Outcome == sizing.OutOfMemory || x.Outcome == sizing.TimedOut && x.Throttled > 0 ||
		x.Peak > int64(had)<<20/nearLimit*(nearLimit-1)
	if !short {
		return ""
	}
	suggested, ok := c.amounts.Sizing.Suggested(c.view, c.rev)
	if !ok || suggested <= had {
		return ""
	}
	return fmt.Sprintf("RequestId: %s Memory Size: %d MB Suggested Memory Size: %d MB", c.req.RequestID, had, suggested)
}

// suggested is what the answer's header says: the amount that the revision
// should have where that is more than this execution had.
func (i *Invoker) suggested(view *function.View, rev *function.Revision, had function.MemoryMB) function.MemoryMB {
	if mb, ok := i.rooms.Amounts.Sizing.Suggested(view, rev); ok && mb > had {
		return mb
	}
	return 0
}

// observeInit tells sizing of an initialisation that ended for want of memory:
// no execution, but one that failed all the same.
func (i *Invoker) observeInit(f *worker.InitFailure, view *function.View, rev *function.Revision, d demand) {
	if !outOfMemory(f) {
		return
	}
	i.rooms.Amounts.Sizing.Observe(view, rev, sizing.Execution{
		At:     time.Now(),
		Amount: sizing.Amount{Memory: f.Amount.Memory, CPU: f.Amount.CPU}, Peak: f.Peak, Duration: f.Duration, Init: f.Duration,
		Outcome: sizing.OutOfMemory, Override: d.override, Probe: d.probe,
	})
}

func outOfMemory(f *worker.InitFailure) bool { return f.Exit != nil && f.Exit.OOM }
