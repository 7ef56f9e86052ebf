package invoke

import (
	"cmp"
	"encoding/json"
	"fmt"
	"syscall"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/runtimeapi"
	"github.com/hearthd/hearth/internal/sandbox"
	"github.com/hearthd/hearth/internal/sizing"
	"github.com/hearthd/hearth/internal/telemetry"
	"github.com/hearthd/hearth/internal/usage"
	"github.com/hearthd/hearth/internal/worker"
)

// unhandled is the value of X-Amz-Function-Error for every kind of error.
const unhandled = "Unhandled"

// call is one invocation in one environment.
type call struct {
	env       *worker.Environment
	amount    worker.Amount // that env had at the beginning
	demand    demand
	view      *function.View
	rev       *function.Revision
	req       *Request
	metrics   *telemetry.FunctionMetrics
	observers *observers
	amounts   Amounts
	usage     *usage.Usage
	timeout   time.Duration
	init      time.Duration // of a cold start
	began     time.Time

	second      bool // there was one before, which was ended for want of memory,
	outOfMemory bool // as was this one
}

// run gives the invocation to the environment and makes the answer. ran is
// false when the environment ended before it was given the invocation.
//
// What the caller does not wait for, the end of the log and the measures, is
// left to the response's Finish, unless the caller asked for the log. An
// environment that has ended is discarded before run returns.
func (c *call) run(inv *runtimeapi.Invocation) (resp *Response, ran bool) {
	c.init = c.env.FirstInit()
	log := c.env.Log()
	if c.init == 0 {
		log.BeginTail() // a cold start's tail begins with the initialisation
	}
	log.Start(c.req.RequestID, c.rev.Version)
	c.began = time.Now()
	inv.Deadline = c.began.Add(c.timeout)
	out := c.env.Invoke(inv, c.timeout)
	switch {
	case out.Result != nil:
		resp = c.answer(&out)
		c.spend(&out, resp)
		c.env.Settle(out.Duration)
		finish := func() {
			c.complete(&out, resp)
			c.env.Release()
		}
		if c.req.Tail {
			finish()
		} else {
			resp.Finish = finish
		}
	case out.Delivered || out.Exit != nil:
		resp = c.answer(&out)
		c.spend(&out, resp)
		c.complete(&out, resp)
		c.env.Discard()
	default:
		c.env.Discard()
		return nil, false
	}
	resp.Cold = c.init > 0
	resp.Memory = c.env.Amount().Memory
	return resp, out.Delivered
}

// complete writes the end of the log, and counts.
func (c *call) complete(out *worker.Outcome, resp *Response) {
	c.env.SyncLog()
	log := c.env.Log()
	used := c.env.Measure(out.Duration)
	x := c.execution(out, &used)
	c.outOfMemory = x.Outcome == sizing.OutOfMemory
	c.amounts.Sizing.Observe(c.view, c.rev, x)
	if out.Delivered {
		c.usage.RecordUse(c.rev, x.Peak, resp.spent.Billed)
	}
	report := telemetry.Report{
		RequestID: c.req.RequestID, Duration: out.Duration, Init: c.init,
		MemoryMB: int(x.Grown), MaxMemoryBytes: x.Peak,
	}
	switch {
	case out.TimedOut:
		report.Status, report.Duration = telemetry.StatusTimeout, c.timeout
		log.Note(fmt.Sprintf("%s %s %s", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), c.req.RequestID, timeoutText(c.timeout)))
	case out.Exit != nil:
		report.Status, report.ErrorType = telemetry.StatusError, exitType(*out.Exit)
		log.Note(fmt.Sprintf("RequestId: %s Error: %s\n%s", c.req.RequestID, exitMessage(*out.Exit), report.ErrorType))
	}
	if line := c.suggestion(&x); line != "" {
		log.Note(line)
	}
	log.End(c.req.RequestID)
	log.Report(report)
	if c.req.Tail {
		resp.Tail = log.Tail()
	}
	c.metrics.Invoked(&report, resp.FunctionError != "")
	c.observers.tell(c.rev.Key, func() Observation {
		_, repeated := c.again()
		return Observation{
			Qualifier: c.req.Qualifier, Version: c.rev.Version, FunctionID: c.rev.FunctionID,
			Began: c.began, Duration: report.Duration, Peak: report.MaxMemoryBytes, First: c.init > 0,
			Failed: resp.FunctionError != "", TimedOut: out.TimedOut, Repeated: repeated,
		}
	})
}

// again is what to try again with after an execution that was ended for want of
// memory, if the function may have more and there was no second try yet. Its
// caller then sees how that ends.
func (c *call) again() (demand, bool) {
	if !c.outOfMemory || c.second {
		return demand{}, false
	}
	return c.amounts.larger(c.demand, c.view, c.rev, c.env.Amount().Memory)
}

// answer makes the response.
func (c *call) answer(out *worker.Outcome) *Response {
	switch {
	case out.TimedOut:
		return timedOut(c.req.RequestID, c.timeout)
	case out.Exit != nil:
		return failed(exitType(*out.Exit), "RequestId: "+c.req.RequestID+" Error: "+exitMessage(*out.Exit))
	case out.Result.TooLarge > 0:
		return failed("Function.ResponseSizeTooLarge",
			fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", runtimeapi.DefaultMaxResponse))
	case out.Result.Error:
		return &Response{Status: 200, Payload: out.Result.Payload, FunctionError: unhandled}
	default:
		return &Response{Status: 200, Payload: out.Result.Payload}
	}
}

// initFailed answers for an environment whose initialisation failed.
func (i *Invoker) initFailed(f *worker.InitFailure, rev *function.Revision, req *Request) *Response {
	report := telemetry.Report{
		RequestID: req.RequestID, Duration: f.Duration, MemoryMB: int(f.Amount.Memory),
		MaxMemoryBytes: f.Peak, Status: telemetry.StatusError,
	}
	var resp *Response
	switch {
	case f.Posted != nil:
		report.ErrorType = f.Posted.ErrorType
		resp = &Response{Status: 200, Payload: f.Posted.Payload, FunctionError: unhandled}
	case f.TimedOut:
		report.Status = telemetry.StatusTimeout
		resp = timedOut(req.RequestID, time.Duration(rev.Config.TimeoutSec)*time.Second)
	default:
		report.ErrorType = exitType(*f.Exit)
		resp = failed(report.ErrorType, "RequestId: "+req.RequestID+" Error: "+exitMessage(*f.Exit))
	}
	log := i.rooms.Logs.Stream(rev.Key, rev.Version, f.EnvironmentID)
	defer log.Close()
	log.BeginTail()
	log.Start(req.RequestID, rev.Version)
	switch {
	case f.Exit != nil && f.Posted == nil:
		log.Note(fmt.Sprintf("RequestId: %s Error: %s\n%s", req.RequestID, exitMessage(*f.Exit), report.ErrorType))
	case f.TimedOut:
		log.Note(fmt.Sprintf("%s %s %s", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), req.RequestID, timeoutText(time.Duration(rev.Config.TimeoutSec)*time.Second)))
	}
	log.End(req.RequestID)
	log.Report(report)
	if req.Tail {
		resp.Tail = lastBytes(append(f.Tail, log.Tail()...), 4096)
	}
	resp.Cold, resp.Memory = true, f.Amount.Memory
	resp.spent = spent(rev, cmp.Or(f.Amount.Memory, rev.Config.Memory), f.Duration, resp)
	i.rooms.Usage.RecordUse(rev, f.Peak, resp.spent.Billed)
	i.rooms.Metrics.Function(rev).Invoked(&report, true)
	i.observers.tell(rev.Key, func() Observation {
		return Observation{
			Qualifier: req.Qualifier, Version: rev.Version, FunctionID: rev.FunctionID,
			Began: time.Now(), Duration: report.Duration, Peak: report.MaxMemoryBytes, First: true, Failed: true, TimedOut: f.TimedOut,
		}
	})
	return resp
}

func lastBytes(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

func timeoutText(d time.Duration) string {
	return fmt.Sprintf("Task timed out after %.2f seconds", d.Seconds())
}

func timedOut(requestID string, d time.Duration) *Response {
	return failed("Sandbox.Timedout", "RequestId: "+requestID+" Error: "+timeoutText(d))
}

func failed(errorType, message string) *Response {
	return &Response{Status: 200, Payload: errorPayload(errorType, message), FunctionError: unhandled}
}

// errorPayload is the JSON that Lambda itself answers for a function that
// could not.
func errorPayload(errorType, message string) []byte {
	b, err := json.Marshal(struct {
		ErrorType    string `json:"errorType"`
		ErrorMessage string `json:"errorMessage"`
	}{errorType, message})
	if err != nil {
		panic(err) // two strings
	}
	return b
}

func exitType(x sandbox.Exit) string {
	if x.OOM {
		return "Runtime.OutOfMemory"
	}
	return "Runtime.ExitError"
}

// exitMessage says how a runtime ended in Lambda's words.
func exitMessage(x sandbox.Exit) string {
	switch {
	case x.Signal != 0:
		return "Runtime exited with error: signal: " + syscall.Signal(x.Signal).String()
	case x.Code != 0:
		return fmt.Sprintf("Runtime exited with error: exit status %d", x.Code)
	default:
		return "Runtime exited without providing a reason"
	}
}
