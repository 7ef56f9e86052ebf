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
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/runtimeapi"
	"github.com/hearthd/hearth/internal/runtimes"
	"github.com/hearthd/hearth/internal/telemetry"
	"github.com/hearthd/hearth/internal/worker"
)

// pendingFor is how long an invocation waits for a function that is still
// being created. Lambda refuses at once; here it is a matter of milliseconds.
const pendingFor = 10 * time.Second

// tries is how many environments are tried in turn when one ends before it was
// given the invocation.
const tries = 3

// Rooms are what the invoker works with.
type Rooms struct {
	Catalog *function.Catalog
	Workers *worker.Manager
	Limits  *worker.Concurrency
	Logs    *telemetry.Logs
	Metrics *telemetry.Metrics
}

// Invoker runs invocations.
type Invoker struct {
	rooms     Rooms
	pending   pending
	observers observers
	log       *slog.Logger
}

// New returns an invoker.
func New(rooms Rooms, log *slog.Logger) *Invoker {
	i := &Invoker{rooms: rooms, log: log}
	rooms.Catalog.Changes(i.pending.changed)
	return i
}

// Invoke runs one invocation and returns the function's answer, which may be
// an error of the function's; the error is an [*Error] when it did not run.
// The invocation goes on to its end when ctx ends, as in Lambda, but does not
// begin any more.
func (i *Invoker) Invoke(ctx context.Context, req *Request) (*Response, error) {
	key := function.Key{Account: req.Account, Name: req.Name}
	view, rev, version, err := i.resolve(ctx, key, req.Qualifier)
	if err != nil {
		return nil, err
	}
	clientContext, err := decodeClientContext(req.ClientContext)
	if err != nil {
		return nil, err
	}
	metrics := i.rooms.Metrics.Function(rev)
	admission, reason := i.rooms.Limits.Admit(key.Account, view.FunctionID, view.Reserved)
	if reason != "" {
		metrics.Throttled()
		return nil, &Error{Kind: KindThrottled, Message: "Rate Exceeded.", Reason: string(reason)}
	}
	defer admission.Done()
	if req.DryRun {
		return &Response{Status: 204, ExecutedVersion: version, RevisionID: rev.ID}, nil
	}
	inv := runtimeapi.Invocation{
		RequestID:     req.RequestID,
		FunctionARN:   view.QualifiedARN(req.Qualifier),
		TraceID:       traceID(req.TraceID),
		ClientContext: clientContext,
		Payload:       req.Payload,
	}
	for try := 1; ; try++ {
		env, err := i.rooms.Workers.Acquire(ctx, rev)
		if err != nil {
			return i.notAcquired(err, rev, version, req)
		}
		c := &call{env: env, rev: rev, req: req, metrics: metrics, observers: &i.observers, timeout: time.Duration(rev.Config.TimeoutSec) * time.Second}
		resp, ran := c.run(&inv)
		if !ran && try < tries {
			continue // it ended while it was idle; nothing of it was seen
		}
		resp.ExecutedVersion, resp.RevisionID = version, rev.ID
		return resp, nil
	}
}

// resolve finds the revision that answers, waiting a little for a function
// that is being created.
func (i *Invoker) resolve(ctx context.Context, key function.Key, qualifier string) (*function.View, *function.Revision, string, error) {
	view, ok := i.rooms.Catalog.Lookup(key)
	if !ok {
		return nil, nil, "", &Error{Kind: KindNotFound, Message: "Function not found: " + notFoundARN(i.rooms.Catalog.ARN(key), qualifier)}
	}
	rev, version, err := view.Resolve(qualifier, rand.Float64)
	if err == nil {
		return view, rev, version, nil
	}
	if function.IsKind(err, function.NotReady) && view.Status.State == function.Pending {
		if view, ok = i.pending.wait(ctx, i.rooms.Catalog, key); ok {
			if rev, version, err = view.Resolve(qualifier, rand.Float64); err == nil {
				return view, rev, version, nil
			}
		}
	}
	kind := KindNotFound
	if function.IsKind(err, function.NotReady) {
		kind = KindNotReady
	}
	return nil, nil, "", &Error{Kind: kind, Message: err.Error()}
}

// notAcquired turns what kept an environment from being there into an answer:
// the function's own failures are answers of the function.
func (i *Invoker) notAcquired(err error, rev *function.Revision, version string, req *Request) (*Response, error) {
	var failure *worker.InitFailure
	var entrypoint *runtimes.EntrypointError
	var notServed *runtimes.NotServedError
	var damaged *code.InvalidError
	switch {
	case errors.As(err, &failure):
		resp := i.initFailed(failure, rev, req)
		resp.ExecutedVersion, resp.RevisionID = version, rev.ID
		return resp, nil
	case errors.As(err, &entrypoint):
		resp := i.initFailed(&worker.InitFailure{Posted: &runtimeapi.InitError{
			ErrorType: entrypoint.Type,
			Payload:   errorPayload(entrypoint.Type, "RequestId: "+req.RequestID+" Error: "+entrypoint.Message),
		}}, rev, req)
		resp.ExecutedVersion, resp.RevisionID = version, rev.ID
		return resp, nil
	case errors.As(err, &notServed):
		return nil, &Error{Kind: KindInvalidRuntime, Message: err.Error()}
	case errors.As(err, &damaged):
		return nil, &Error{Kind: KindInternal, Message: "the function's code cannot be unpacked", Err: err}
	case errors.Is(err, worker.ErrNoCapacity):
		return nil, &Error{Kind: KindNoCapacity, Message: "This node is full: " + err.Error() + ". Try again, or give the node more memory (hearth serve --memory).", RetryAfter: time.Second}
	case errors.Is(err, worker.ErrClosed):
		return nil, &Error{Kind: KindNoCapacity, Message: "This node is stopping. Try again.", RetryAfter: time.Second}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil, &Error{Kind: KindNoCapacity, Message: "The caller went away before an environment was there.", Err: err}
	}
	i.log.Error("an environment could not be made", "function", rev.Name, "account", rev.Account, "version", rev.Version, "error", err)
	return nil, &Error{Kind: KindInternal, Message: "Hearth could not make an environment for the function; its log says why. Try again.", Err: err}
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
