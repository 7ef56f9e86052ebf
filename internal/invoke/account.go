package invoke

import (
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/telemetry"
	"github.com/hearthd/hearth/internal/usage"
	"github.com/hearthd/hearth/internal/worker"
)

// spend says in the response what its execution cost. An execution that was
// grown in place counts with what it had in the end.
func (c *call) spend(out *worker.Outcome, resp *Response) {
	duration := out.Duration
	if out.TimedOut {
		duration = c.timeout
	}
	resp.spent = spent(c.rev, max(c.amount.Memory, c.env.Amount().Memory), duration, resp)
}

func spent(rev *function.Revision, allocated function.MemoryMB, duration time.Duration, resp *Response) usage.Execution {
	return usage.Execution{
		Failed: resp.FunctionError != "", Asked: rev.Config.Memory, Allocated: allocated,
		Billed: (&telemetry.Report{Duration: duration}).Billed(),
	}
}

// answered records the execution whose answer the caller gets: from now on it
// counts, whatever becomes of this process.
func (i *Invoker) answered(rev *function.Revision, resp *Response) *Response {
	resp.spent.Answered = true
	i.rooms.Usage.Record(rev, resp.spent)
	return resp
}

// repeated records an execution that another one follows. It returns the
// response as it is to be recorded if there is no answer but that one after all.
func (i *Invoker) repeated(rev *function.Revision, resp *Response) *Response {
	i.rooms.Usage.Record(rev, resp.spent)
	resp.spent = usage.Execution{Failed: resp.spent.Failed}
	return resp
}
