package worker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hearthd/hearth/internal/code"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/pool"
	"github.com/hearthd/hearth/internal/runtimeapi"
	"github.com/hearthd/hearth/internal/sandbox"
	"github.com/hearthd/hearth/internal/telemetry"
)

// Environment is one execution environment: a sandbox with the code of one
// revision in it and a runtime that polls for invocations. Between Acquire and
// Release (or Discard) it belongs to the caller alone.
type Environment struct {
	m        *Manager
	set      *set
	box      sandbox.Environment
	instance *pool.Instance
	holding  holding
	endpoint *runtimeapi.Endpoint
	output   *output
	lease    *code.Lease
	booted   time.Time
	awaited  bool          // a request waited for it when it was ready
	init     time.Duration // how long the initialisation took

	ctx    context.Context // ends when the processes have ended
	cancel context.CancelFunc

	frozen atomic.Bool // changed by whoever holds the environment

	// The next four change hands with the environment: whoever holds it, or
	// the set's lock while it is idle, may touch them.
	idleSince time.Time
	taken     time.Time // for this invocation, when it waited; else zero until it begins
	worth     float64   // see reclaim.go
	work      work      // see pace.go

	kept atomic.Bool // it must stay, see keep.go

	initPeak    int64     // bytes that the initialisation used at most
	measuredAll time.Time // thoroughly, at last; whoever holds it may touch it
	leaving     int       // MiB that count in the manager's leaving; set by Discard

	invocations atomic.Int64
	busy        atomic.Bool // for what people see; nothing hangs on it
	discard     sync.Once
}

// Outcome is how an invocation ended: exactly one of Result, TimedOut and Exit.
type Outcome struct {
	Result   *runtimeapi.Result
	TimedOut bool
	// Exit says how the runtime ended while it ran the invocation.
	Exit *sandbox.Exit
	// Delivered is false when the runtime ended before it was given the
	// invocation: another environment may run it.
	Delivered bool
	Duration  time.Duration
}

// Revision is what the environment was booted from.
func (e *Environment) Revision() *function.Revision { return e.set.revision }

// Log is where the environment's output goes.
func (e *Environment) Log() *telemetry.LogStream { return e.output.stream }

// FirstInit returns how long the initialisation took, once: for the first
// invocation, if that waited for it and so was a cold start. Otherwise it
// returns 0.
func (e *Environment) FirstInit() time.Duration {
	if e.awaited && e.invocations.Load() == 0 {
		return e.init
	}
	return 0
}

// Invoke runs one invocation for at most timeout. After a time-out or an exit
// the environment is of no more use: Discard it.
func (e *Environment) Invoke(inv *runtimeapi.Invocation, timeout time.Duration) Outcome {
	e.invocations.Add(1)
	inv.MemoryMB = int(e.tell())
	ctx, cancel := context.WithTimeout(e.ctx, timeout)
	defer cancel()
	start := time.Now()
	if e.taken.IsZero() {
		e.taken = start
	}
	result, err := e.endpoint.Invoke(ctx, inv)
	out := Outcome{Result: result, Delivered: true, Duration: time.Since(start)}
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		out.TimedOut = true
		e.box.Kill()
	default:
		e.box.Kill()
		<-e.box.Done()
		exit := e.box.Exit()
		out.Exit = &exit
		out.Delivered = !errors.Is(err, runtimeapi.ErrNotDelivered)
	}
	return out
}

// Invocations is how many invocations the environment was given.
func (e *Environment) Invocations() int64 { return e.invocations.Load() }

// SyncLog returns when all that the function has printed so far is in the log.
func (e *Environment) SyncLog() { e.output.drain() }

// PeakMemory is the most memory the environment used, in bytes.
func (e *Environment) PeakMemory() int64 {
	peak, err := e.box.PeakMemory()
	if err != nil {
		return 0 // it has ended and its cgroup is gone
	}
	return min(peak, int64(e.memory())<<20)
}

// Settle announces that Release follows soon: whoever asks for an environment
// meanwhile waits for this one. So what is left to do for an invocation can be
// done after its answer is on its way. took is how long the invocation took.
func (e *Environment) Settle(took time.Duration) { e.set.settle(took) }

// Release gives the environment back, after Settle, ready for the next
// invocation.
func (e *Environment) Release() {
	e.busy.Store(false)
	e.m.appraise(e)
	if !e.set.settled(e, time.Now()) {
		e.Discard()
	} else if e.ctx.Err() != nil { // it ended after its answer
		e.end()
	}
}

// wake makes the environment ready for an invocation; false when it has ended.
func (e *Environment) wake() bool {
	if e.ctx.Err() != nil {
		return false
	}
	if e.frozen.Load() {
		if err := e.box.Thaw(); err != nil {
			return false
		}
		e.frozen.Store(false)
	}
	e.busy.Store(true)
	return true
}

// Discard ends the environment and, in the background, removes every trace of
// it. It may be called any number of times.
func (e *Environment) Discard() {
	e.discard.Do(func() {
		e.box.Kill()
		e.leaving = e.memory()
		e.m.leaving.Add(int64(e.leaving))
		if e.set.forget(e) {
			e.m.startBoot(e.set)
		}
		if !e.m.spawn(e.remove) {
			e.remove()
		}
		if e.kept.Load() {
			e.m.keeper.nudge() // another one takes its place
		}
	})
}

// remove waits for the processes to end and gives back all that was held.
func (e *Environment) remove() {
	e.box.Kill()
	<-e.box.Done()
	e.cancel()
	e.m.mu.Lock()
	delete(e.m.alive, e)
	e.m.mu.Unlock()
	err := errors.Join(e.endpoint.Close(), e.output.close(), e.box.Release())
	e.lease.Release()
	err = errors.Join(err, e.instance.Let(e.release()))
	e.m.leaving.Add(-int64(e.leaving))
	if err != nil {
		e.m.opts.Log.Warn("cannot remove an environment", "environment", e.box.ID(), "function", e.set.revision.Name, "error", err)
	}
	e.m.memoryFreed(e.instance)
}

// watch ends the environment's context with its processes and discards it when
// that happens while nobody holds it.
func (e *Environment) watch() {
	<-e.box.Done()
	e.cancel()
	if !e.busy.Load() {
		e.Discard()
	}
}
