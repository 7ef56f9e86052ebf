package runtimeapi

// state is where the runtime stands; see [Endpoint].
type state uint8

const (
	started state = iota
	initFailed
	ready
	running
	responding
	respondingError
	// answered is only for messages: ready again, as seen by somebody who
	// answers the last invocation once more.
	answered
)

// String returns the name the state has in AWS's error messages.
func (s state) String() string {
	switch s {
	case started:
		return "Started"
	case initFailed:
		return "InitError"
	case ready:
		return "Ready"
	case running:
		return "Running"
	case responding:
		return "InvocationResponse"
	case respondingError:
		return "InvocationErrorResponse"
	case answered:
		return "ResponseSent"
	}
	return "unknown"
}

// begin makes inv the invocation under way and returns the connection to write
// it to, or nil when the runtime is not polling yet.
func (e *Endpoint) begin(inv *Invocation) (*conn, uint64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, 0, ErrClosed
	}
	if e.inv != nil {
		return nil, 0, ErrBusy
	}
	e.inv = inv
	e.call++
	return e.takePending(), e.call, nil
}

// takePending assigns the invocation under way to the connection that polls
// longest; without one it leaves the invocation waiting.
func (e *Endpoint) takePending() *conn {
	if len(e.pending) == 0 {
		e.waiting = true
		return nil
	}
	c := e.pending[0]
	e.pending = append(e.pending[:0], e.pending[1:]...)
	e.waiting = false
	e.state = running
	return c
}

// retake puts an invocation that could not be written back to the front, and
// returns another polling connection if there is one.
func (e *Endpoint) retake(call uint64) *conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		// Close may have found the events channel full; tell it now.
		select {
		case e.events <- event{}:
		default:
		}
		return nil
	case e.inv == nil || e.call != call || e.state != running:
		// It was answered before it was read to its end.
		return nil
	}
	e.state = ready
	return e.takePending()
}

// abandon ends the invocation under way without a result, unless the result
// came meanwhile, and tells whether the runtime had been given it.
func (e *Endpoint) abandon(call uint64) (late *Result, delivered bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ev event
	select {
	case ev = <-e.events:
	default:
	}
	if ev.result != nil {
		return ev.result, true
	}
	delivered = !e.waiting && ev.conn == nil
	switch {
	case ev.conn == nil:
	case e.closed, ev.written > 0: // nobody will write the rest
		ev.conn.net.Close()
		ev.conn.turn.Unlock()
	default: // it still polls, nothing was written to it
		e.pending = append([]*conn{ev.conn}, e.pending...)
	}
	if e.inv != nil && e.call == call {
		e.endCall()
	}
	return nil, delivered
}

// endCall leaves the state of an invocation under way; what the runtime still
// posts for it meets an unknown request ID.
func (e *Endpoint) endCall() {
	e.inv = nil
	e.waiting = false
	e.answered = ""
	if e.state == running || e.state == responding || e.state == respondingError {
		e.state = ready
	}
}

// poll is a GET next on c, whose turn is held: from here it is held for
// whoever writes the invocation. The invocation that waits is given to c;
// otherwise c is pending and the environment idle.
//
// A caller of Invoke that is waiting already need not be woken for the write:
// what goes without blocking is written here, with mu held, so that the caller
// can't return while its payload is being read.
func (e *Endpoint) poll(c *conn) (idle bool, refused *refusal) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return false, errShutdown
	case e.state == initFailed:
		return false, refuseTransition(e.state, ready)
	case e.state == started:
		e.state = ready
		close(e.ready)
	}
	e.pending = append(e.pending, c)
	if e.waiting {
		c := e.takePending()
		if n, whole := c.tryInvocation(e.inv); !whole {
			e.events <- event{conn: c, written: n}
		}
		return false, nil
	}
	return e.inv == nil, nil
}

// claim is the head of a POST for an invocation: it is for the one under way,
// and nobody else is posting its body. The returned number is for finish or
// release.
func (e *Endpoint) claim(id []byte, to state) (uint64, *refusal) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.inv == nil || e.waiting || string(id) != e.inv.RequestID {
		if len(id) > 0 && string(id) == e.answered {
			return 0, refuseTransition(answered, to)
		}
		return 0, errRequestID
	}
	if e.state != running {
		return 0, refuseTransition(e.state, to)
	}
	e.state = to
	return e.call, nil
}

// release undoes a claim whose body didn't come to its end.
func (e *Endpoint) release(call uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.inv != nil && e.call == call && (e.state == responding || e.state == respondingError) {
		e.state = running
	}
}

// finish hands the result to the caller of Invoke. It fails when the
// invocation was abandoned while its body was read.
func (e *Endpoint) finish(call uint64, r *Result) *refusal {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.inv == nil || e.call != call {
		return errRequestID
	}
	id := e.inv.RequestID
	e.endCall()
	e.answered = id
	e.events <- event{result: r}
	return nil
}

// claimInitError is the head of a POST init/error; there is one, before the
// first GET next.
func (e *Endpoint) claimInitError() *refusal {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != started {
		return refuseTransition(e.state, initFailed)
	}
	e.state = initFailed
	return nil
}
