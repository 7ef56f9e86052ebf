package runtimeapi

// Connections returns how many connections the endpoint holds.
func (e *Endpoint) Connections() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.conns)
}

// Waiting reports whether an Invoke waits for a GET next.
func (e *Endpoint) Waiting() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.waiting
}

// Pending returns how many connections wait for an invocation.
func (e *Endpoint) Pending() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.pending)
}
