package invoke

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/hearthd/hearth/internal/code"
	"github.com/hearthd/hearth/internal/deploy"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/runtimeapi"
	"github.com/hearthd/hearth/internal/runtimes"
	"github.com/hearthd/hearth/internal/telemetry"
	"github.com/hearthd/hearth/internal/usage"
	"github.com/hearthd/hearth/internal/worker"
)

// tries is how many environments are tried in turn when one ends before it was
// given the invocation.
const tries = 3

// Rooms are what the invoker works with.
type Rooms struct {
	Catalog *function.Catalog
	Deploy  *deploy.Manager
	Workers *worker.Manager
	Limits  *worker.Concurrency
	Logs    *telemetry.Logs
	Metrics *telemetry.Metrics
	Usage   *usage.Usage
	Amounts Amounts
}

// Invoker runs invocations.
type Invoker struct {
	rooms     Rooms
	observers observers
	log       *slog.Logger
}

// New returns an invoker.
func New(rooms Rooms, log *slog.Logger) *Invoker {
	return &Invoker{rooms: rooms, log: log}
}

// Invoke runs one invocation and returns the function's answer, which may be
// an error of the function's; the error is an [*Error] when it did not run.
// The invocation goes on to its end when ctx ends, as in Lambda, but does not
// begin any more.
func (i *Invoker) Invoke(ctx context.Context, req *Request) (*Response, error) {
	key := function.Key{Account: req.Account, Name: req.Name}
	choice, err := i.choose(ctx, key, req)
	if err != nil {
		return nil, err
	}
	view, rev := choice.View, choice.Revision
	clientContext, err := decodeClientContext(req.ClientContext)
	if err != nil {
		return nil, err
	}
	demand, err := i.rooms.Amounts.demand(view, rev, req.MemorySize)
	if err != nil {
		return nil, err
	}
	metrics := i.rooms.Metrics.Function(rev)
	admission, reason := i.rooms.Limits.Admit(key.Account, view.FunctionID, view.Reserved, view.Guaranteed())
	if reason != "" {
		metrics.Throttled()
		return nil, &Error{Kind: KindThrottled, Message: "Rate Exceeded.", Reason: string(reason)}
	}
	defer admission.Done()
	if req.DryRun {
		return answeredBy(&Response{Status: 204}, &choice), nil
	}
	inv := runtimeapi.Invocation{
		RequestID:     req.RequestID,
		FunctionARN:   view.QualifiedARN(req.Qualifier),
		TraceID:       traceID(req.TraceID),
		ClientContext: clientContext,
		Payload:       req.Payload,
	}
	var failed *Response // of the first try, when there is a second one with more memory
	for try := 1; ; try++ {
		env, err := i.rooms.Workers.Acquire(ctx, rev, demand.Amount)
		if err != nil {
			resp, had, err := i.notAcquired(err, &choice, req, demand)
			if err != nil && failed != nil {
				return i.answered(rev, failed), nil // there is no room for more
			}
			if err != nil {
				return nil, err
			}
			if larger, ok := i.rooms.Amounts.larger(demand, view, rev, had); ok && had > 0 && failed == nil {
				demand, failed = larger, i.repeated(rev, resp)
				continue
			}
			return i.answered(rev, resp), nil
		}
		c := &call{
			env: env, amount: env.Amount(), demand: demand, view: view, rev: rev, req: req,
			metrics: metrics, observers: &i.observers, amounts: i.rooms.Amounts, usage: i.rooms.Usage, second: failed != nil, timeout: time.Duration(rev.Config.TimeoutSec) * time.Second,
		}
		resp, ran := c.run(&inv)
		if !ran && try < tries {
			continue // it ended while it was idle; nothing of it was seen
		}
		resp = answeredBy(resp, &choice)
		resp.Suggested = i.suggested(view, rev, resp.Memory)
		if larger, ok := c.again(); ok {
			demand, failed = larger, i.repeated(rev, resp)
			continue
		}
		return i.answered(rev, resp), nil
	}
}

// answeredBy says in the response which revision answered.
func answeredBy(resp *Response, choice *deploy.Choice) *Response {
	resp.ExecutedVersion, resp.RevisionID, resp.Stale = choice.Version, choice.Revision.ID, choice.Stale
	return resp
}

// choose finds the revision that answers.
func (i *Invoker) choose(ctx context.Context, key function.Key, req *Request) (deploy.Choice, error) {
	view, ok := i.rooms.Catalog.Lookup(key)
	if !ok {
		return deploy.Choice{}, &Error{Kind: KindNotFound, Message: "Function not found: " + notFoundARN(i.rooms.Catalog.ARN(key), req.Qualifier)}
	}
	choice, err := i.rooms.Deploy.Choose(ctx, deploy.Request{View: view, Qualifier: req.Qualifier, Policy: req.UpdatePolicy, CodeSHA256: req.CodeSHA256})
	switch {
	case err == nil:
		return choice, nil
	case function.IsKind(err, function.InvalidParameter):
		return choice, &Error{Kind: KindInvalidParameter, Message: err.Error()}
	case function.IsKind(err, function.NotReady):
		return choice, &Error{Kind: KindNotReady, Message: err.Error()}
	case function.IsKind(err, function.NotFound):
		return choice, &Error{Kind: KindNotFound, Message: err.Error()}
	}
	return choice, callerLeft(err)
}

// notAcquired turns what kept an environment from being there into an answer:
// the function's own failures are answers of the function. had is not 0 when
// the initialisation ran out of that much memory.
func (i *Invoker) notAcquired(err error, choice *deploy.Choice, req *Request, d demand) (resp *Response, had function.MemoryMB, _ error) {
	var failure *worker.InitFailure
	if errors.As(err, &failure) {
		i.observeInit(failure, choice.View, choice.Revision, d)
		resp = answeredBy(i.initFailed(failure, choice.Revision, req), choice)
		resp.Suggested = i.suggested(choice.View, choice.Revision, resp.Memory)
		if outOfMemory(failure) {
			had = failure.Amount.Memory
		}
		return resp, had, nil
	}
	resp, err = i.notMade(err, choice, req)
	return resp, 0, err
}

// notMade is notAcquired for all but failed initialisations.
func (i *Invoker) notMade(err error, choice *deploy.Choice, req *Request) (*Response, error) {
	rev := choice.Revision
	var entrypoint *runtimes.EntrypointError
	var notServed *runtimes.NotServedError
	var damaged *code.InvalidError
	switch {
	case errors.As(err, &entrypoint):
		return answeredBy(i.initFailed(&worker.InitFailure{Posted: &runtimeapi.InitError{
			ErrorType: entrypoint.Type,
			Payload:   errorPayload(entrypoint.Type, "RequestId: "+req.RequestID+" Error: "+entrypoint.Message),
		}, Amount: worker.Asked(rev)}, rev, req), choice), nil
	case errors.As(err, &notServed):
		return nil, &Error{Kind: KindInvalidRuntime, Message: err.Error()}
	case errors.As(err, &damaged):
		return nil, &Error{Kind: KindInternal, Message: "the function's code cannot be unpacked", Err: err}
	case errors.Is(err, worker.ErrNoCapacity):
		return nil, &Error{Kind: KindNoCapacity, Message: "This node is full: " + err.Error() + ". Try again, or give the node more memory (hearth serve --memory).", RetryAfter: time.Second}
	case errors.Is(err, worker.ErrClosed):
		return nil, &Error{Kind: KindNoCapacity, Message: "This node is stopping. Try again.", RetryAfter: time.Second}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil, callerLeft(err)
	}
	i.log.Error("an environment could not be made", "function", rev.Name, "account", rev.Account, "version", rev.Version, "error", err)
	return nil, &Error{Kind: KindInternal, Message: "Hearth could not make an environment for the function; its log says why. Try again.", Err: err}
}

func callerLeft(err error) *Error {
	return &Error{Kind: KindNoCapacity, Message: "The caller went away before an environment was there.", Err: err}
}

func notFoundARN(arn, qualifier string) string {
	if qualifier == "" {
		return arn
	}
	return arn + ":" + qualifier
}

// decodeClientContext returns the JSON that the runtime gets.
func decodeClientContext(header string) (string, error) {
	if header == "" {
		return "", nil
	}
	b, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return "", &Error{Kind: KindInvalidContent, Message: "Client context must be a valid Base64-encoded JSON object."}
	}
	return string(b), nil
}

// traceID passes the caller's X-Ray header on, or makes one that is not sampled.
func traceID(header string) string {
	if header != "" {
		return header
	}
	return fmt.Sprintf("Root=1-%08x-%08x%016x;Parent=%016x;Sampled=0",
		uint32(time.Now().Unix()), rand.Uint32(), rand.Uint64(), rand.Uint64())
}
