package runtimeapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"
)

// DefaultMaxResponse is Lambda's limit for the body of a response: 6 MB and a
// little room for what Lambda itself adds.
const DefaultMaxResponse = 6<<20 + 100

// ErrClosed is returned by [Endpoint.Invoke] when the endpoint is closed
// before the environment answered.
var ErrClosed = errors.New("runtimeapi: endpoint closed")

// ErrBusy is returned by [Endpoint.Invoke] when an invocation is under way.
var ErrBusy = errors.New("runtimeapi: an invocation is under way")

// Invocation is what the environment is asked to do. The endpoint doesn't
// modify it, and keeps neither it nor its payload once Invoke has returned
// and the environment has read it.
type Invocation struct {
	RequestID       string
	FunctionARN     string
	TraceID         string // X-Ray header; omitted when empty
	ClientContext   string // JSON; omitted when empty
	CognitoIdentity string // JSON; omitted when empty
	Deadline        time.Time
	Payload         []byte
}

// Result is what the environment posted for an invocation.
type Result struct {
	// Payload is the caller's to keep.
	Payload     []byte
	ContentType string
	// Error is true when the payload was posted to …/error, or when a streamed
	// response ended in error trailers.
	Error bool
	// ErrorType is the value of Lambda-Runtime-Function-Error-Type.
	ErrorType string
	// TooLarge is zero, or the size in bytes of a response above the limit (as
	// far as it was read or announced). The runtime was told 413, the payload
	// is nil, and the environment stays usable.
	TooLarge int64
}

// InitError is what the runtime reported to …/init/error before it was ready.
type InitError struct {
	Payload   []byte
	ErrorType string // Lambda-Runtime-Function-Error-Type, may be empty
}

// Options change how an endpoint serves; the zero value is good.
type Options struct {
	// MaxResponse is the largest accepted response body; 0 means
	// [DefaultMaxResponse].
	MaxResponse int64
	// OnNext, if not nil, is called each time the environment begins to wait
	// for an invocation, on the connection's goroutine: it must not block.
	OnNext func()
	Log    *slog.Logger
}

// Endpoint serves the Runtime API to one environment.
type Endpoint struct{}

// Serve begins to serve on l, which the endpoint closes in [Endpoint.Close].
func Serve(l net.Listener, o Options) *Endpoint { return nil }

// Ready is closed when the environment asks for its first invocation: its
// initialisation is over.
func (e *Endpoint) Ready() <-chan struct{} { return nil }

// InitError yields at most one report.
func (e *Endpoint) InitError() <-chan InitError { return nil }

// Invoke gives the environment an invocation, as soon as it polls for one, and
// waits for what it posts. One at a time: a second call meanwhile returns
// [ErrBusy]. When ctx ends first, the invocation is abandoned: Invoke returns
// the context's error, and a late response of the environment is refused.
func (e *Endpoint) Invoke(ctx context.Context, inv *Invocation) (*Result, error) { return nil, nil }

// Idle reports whether the environment waits for an invocation.
func (e *Endpoint) Idle() bool { return false }

// Close closes the listener and every connection and waits for the endpoint's
// goroutines.
func (e *Endpoint) Close() error { return nil }
