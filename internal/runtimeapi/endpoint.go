package runtimeapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	// DefaultMaxResponse is Lambda's limit for the body of a response: 6 MB
	// and a little room for what Lambda itself adds.
	DefaultMaxResponse = 6<<20 + 100
	// MaxConnections is how many connections an environment may hold at once;
	// a further one is closed as soon as it is accepted.
	MaxConnections = 64
)

// ErrClosed is returned by [Endpoint.Invoke] when the endpoint is closed
// before the environment answered.
var ErrClosed = errors.New("runtimeapi: endpoint closed")

// ErrNotDelivered is returned, wrapping the context's error, by
// [Endpoint.Invoke] when the runtime never asked for the invocation: another
// environment may run it.
var ErrNotDelivered = errors.New("runtimeapi: the runtime did not ask for the invocation")

// ErrBusy is returned by [Endpoint.Invoke] when an invocation is under way.
var ErrBusy = errors.New("runtimeapi: an invocation is under way")

// Invocation is what the environment is asked to do. The endpoint reads it
// until Invoke returns, and not after that.
type Invocation struct {
	RequestID       string
	FunctionARN     string
	TraceID         string // X-Ray header; omitted when empty
	ClientContext   string // JSON; omitted when empty
	CognitoIdentity string // JSON; omitted when empty
	Deadline        time.Time
	MemoryMB        int // the environment's, where it changed; omitted when 0
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
	// far as it was announced or read). The runtime is told 413, the payload
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
	// OnNext, if not nil, is called each time the environment becomes idle: it
	// polls, and no Invoke is under way. It runs on a connection's goroutine:
	// it must not block, and must not call Close. An Invoke may have come
	// between, so whoever acts on idleness asks [Endpoint.Idle] where it counts.
	OnNext func()
	// Log receives, at debug level, what the other end does wrong; nil
	// discards it.
	Log *slog.Logger
}

// Endpoint serves the Runtime API to one environment. Its methods are safe for
// concurrent use.
//
// The runtime is in one of these states, named as AWS names them:
//
//	Started ──GET next──► Ready ◄──────────┐
//	   │                    │ Invoke       │ body read, or abandoned
//	   │                    ▼              │
//	   │                 Running ──POST──► Invocation[Error]Response
//	   └─POST init/error─► InitError           │ connection breaks
//	                        ▲     ▲            │
//	                     (final) Running ◄─────┘
type Endpoint struct {
	listener    net.Listener
	maxResponse int64
	onNext      func()
	log         *slog.Logger

	ready     chan struct{}  // closed by the first GET next
	initError chan InitError // capacity 1, one value at most
	// events wakes the caller of Invoke. Capacity 1 is enough: what may be
	// sent is ordered (a connection, then its result) and each is taken before
	// the next is possible. Sent and drained with mu held.
	events chan event

	wg sync.WaitGroup // the accepting goroutine and one for each connection

	mu    sync.Mutex
	state state
	// call counts invocations; it tells a late finish from a present one.
	call uint64
	inv  *Invocation // the one under way, nil when none is
	// waiting is true while inv waits for a GET next.
	waiting bool
	// answered is the request ID last answered, for telling a second response
	// from a foreign one.
	answered string
	pending  []*conn // connections with an unanswered GET next, oldest first
	conns    []*conn
	closed   bool
}

// event is what the caller of Invoke waits for: a connection to write the
// invocation to, or the result. Neither: the endpoint was closed.
type event struct {
	conn    *conn
	written int // how much of the invocation conn already has
	result  *Result
}

// Serve begins to serve on l, which the endpoint closes in [Endpoint.Close].
func Serve(l net.Listener, o Options) *Endpoint {
	if o.MaxResponse == 0 {
		o.MaxResponse = DefaultMaxResponse
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e := &Endpoint{
		listener:    l,
		maxResponse: o.MaxResponse,
		onNext:      o.OnNext,
		log:         o.Log,
		ready:       make(chan struct{}),
		initError:   make(chan InitError, 1),
		events:      make(chan event, 1),
	}
	e.wg.Go(e.accept)
	return e
}

// Ready is closed when the environment asks for its first invocation: its
// initialisation is over.
func (e *Endpoint) Ready() <-chan struct{} { return e.ready }

// InitError yields at most one report.
func (e *Endpoint) InitError() <-chan InitError { return e.initError }

// Idle reports whether the environment waits for an invocation.
func (e *Endpoint) Idle() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.pending) > 0 && e.inv == nil
}

// Invoke gives the environment an invocation, as soon as it polls for one, and
// waits for what it posts. One at a time: a second call meanwhile returns
// [ErrBusy]. When ctx ends first, the invocation is abandoned: Invoke returns
// the context's error, within [ErrNotDelivered] where that is so, and a late
// response of the environment is refused.
func (e *Endpoint) Invoke(ctx context.Context, inv *Invocation) (*Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotDelivered, err)
	}
	c, call, err := e.begin(inv)
	if err != nil {
		return nil, err
	}
	for written := 0; ; {
		if c != nil {
			if err := c.giveInvocation(ctx, inv, written); err != nil {
				// It broke before the runtime had the whole invocation: the
				// next GET gets it.
				e.log.Debug("giving an invocation failed", "request", inv.RequestID, "err", err)
				written = 0
				if c = e.retake(call); c != nil {
					continue
				}
			}
		}
		select {
		case ev := <-e.events:
			switch {
			case ev.result != nil:
				return ev.result, nil
			case ev.conn == nil:
				return nil, ErrClosed
			}
			c, written = ev.conn, ev.written
		case <-ctx.Done():
			r, delivered := e.abandon(call)
			if r != nil {
				return r, nil
			}
			if !delivered {
				return nil, fmt.Errorf("%w: %w", ErrNotDelivered, ctx.Err())
			}
			return nil, ctx.Err()
		}
	}
}

// Close closes the listener and every connection and waits for the endpoint's
// goroutines. An Invoke under way returns [ErrClosed].
func (e *Endpoint) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		e.wg.Wait()
		return nil
	}
	e.closed = true
	for _, c := range e.conns {
		c.net.Close() // nothing to do about it
	}
	for _, c := range e.pending {
		c.turn.Unlock()
	}
	e.pending = nil
	if e.inv != nil {
		e.endCall()
		select {
		case e.events <- event{}:
		default: // a connection is on its way to the caller; see retake
		}
	}
	e.mu.Unlock()
	err := e.listener.Close()
	e.wg.Wait()
	return err
}

func (e *Endpoint) accept() {
	for {
		nc, err := e.listener.Accept()
		if err != nil {
			// The listener was closed, or the process is out of descriptors;
			// then this environment fails alone, by its time-out.
			e.mu.Lock()
			closed := e.closed
			e.mu.Unlock()
			if !closed {
				e.log.Error("the Runtime API stopped accepting", "err", err)
			}
			return
		}
		c := newConn(e, nc)
		if !e.admit(c) {
			nc.Close() // refused
			continue
		}
		e.wg.Go(c.serve)
	}
}

func (e *Endpoint) admit(c *conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || len(e.conns) >= MaxConnections {
		return false
	}
	e.conns = append(e.conns, c)
	return true
}

// forget removes a connection whose goroutine ends.
func (e *Endpoint) forget(c *conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	is := func(o *conn) bool { return o == c }
	e.conns = slices.DeleteFunc(e.conns, is)
	e.pending = slices.DeleteFunc(e.pending, is)
}
