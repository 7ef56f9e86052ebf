package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/runtimes"
)

// mostUnfit is how many environments Acquire ends in turn that can't be given
// what a request needs.
const mostUnfit = 16

// ErrClosed is returned by Acquire while the node stops.
var ErrClosed = errors.New("the node is stopping")

// ErrNoCapacity is returned by Acquire when the node stayed full for as long
// as a request may wait.
var ErrNoCapacity = errors.New("no capacity on this node")

// Acquire returns an environment of exactly this revision that is ready for
// an invocation and has this amount, or more memory where that is in use. The
// caller gives it back with [Environment.Settle] and [Environment.Release], or
// ends it with [Environment.Discard]. Errors are ErrNoCapacity, ErrClosed, a
// *[InitFailure], what the context says, or why the node could not boot it.
func (m *Manager) Acquire(ctx context.Context, rev *function.Revision, amount Amount) (*Environment, error) {
	for unfit := 0; unfit < mostUnfit; {
		s := m.set(rev)
		e, w, boot := s.take(amount, m.saturated.Load())
		if e == nil && w == nil {
			m.sets.CompareAndDelete(rev.ID, s)
			continue
		}
		if e == nil {
			if boot {
				m.startBoot(s)
			}
			var err error
			if e, err = m.await(ctx, s, w); err != nil {
				return nil, err
			}
		}
		switch {
		case !e.fit(amount):
			// Its instance has no room for more, or it has ended: another one
			// takes its place, where there is room.
			unfit++
		case e.wake():
			return e, nil
		}
		e.Discard() // else it ended while it was idle
	}
	return nil, fmt.Errorf("%w: no instance had %d MB left", ErrNoCapacity, amount.Memory)
}

// await waits until the waiter is served, for a bounded time.
func (m *Manager) await(ctx context.Context, s *set, w *waiter) (*Environment, error) {
	limit := time.NewTimer(m.longestWait(s.revision))
	defer limit.Stop()
	hurry := time.NewTimer(Patience)
	defer hurry.Stop()
	var err error
	for err == nil {
		select {
		case h := <-w.ch:
			return h.env, h.err
		case <-hurry.C:
			boot, again := s.insist(w, time.Now(), m.saturated.Load(), m.occupied.Load())
			if boot {
				m.startBoot(s)
			}
			if again {
				hurry.Reset(Patience)
			}
		case <-ctx.Done():
			err = ctx.Err()
		case <-m.ctx.Done():
			err = ErrClosed
		case <-limit.C:
			err = ErrNoCapacity
		}
	}
	if s.abandon(w) {
		return nil, err
	}
	h := <-w.ch // served at the last moment
	if h.env != nil {
		return h.env, nil
	}
	return nil, h.err
}

// longestWait bounds the wait for an environment: for room on the node, and
// for an initialisation that may be tried twice.
func (m *Manager) longestWait(rev *function.Revision) time.Duration {
	return m.opts.QueueFor + m.opts.InitFor + time.Duration(rev.Config.TimeoutSec)*time.Second + 5*time.Second
}

// set returns the set of the revision, making it when there is none.
func (m *Manager) set(rev *function.Revision) *set {
	if s, ok := m.sets.Load(rev.ID); ok {
		return s.(*set)
	}
	s, _ := m.sets.LoadOrStore(rev.ID, &set{revision: rev, all: map[*Environment]struct{}{}})
	return s.(*set)
}

// startBoot boots an environment for requests that wait in the set, which counts
// it as coming.
func (m *Manager) startBoot(s *set) { m.startBootOf(s, order{by: runtimes.OnDemandInit}) }

func (m *Manager) startBootOf(s *set, o order) {
	started := m.spawn(func() {
		done := m.rooms.Pool.ColdStart()
		e, err := m.prepare(m.ctx, s, o)
		done()
		if err != nil {
			m.bootFailed(s, err)
			return
		}
		if !s.arrived(e, time.Now()) {
			e.Discard()
		}
	})
	if !started {
		s.failed(ErrClosed, 0)
	}
}

// bootFailed tells whoever waits for the boot, or boots again for them: that
// the node is full concerns those only who have waited for as long as that may take.
func (m *Manager) bootFailed(s *set, err error) {
	var again bool
	if errors.Is(err, errNotWanted) {
		again = s.calledOff()
	} else {
		waited := time.Duration(0)
		if errors.Is(err, ErrNoCapacity) {
			waited = m.opts.QueueFor
		}
		var told bool
		if told, again = s.failed(err, waited); !told && m.ctx.Err() == nil {
			m.opts.Log.Info("an environment that nobody waits for any more did not start", "function", s.revision.Name, "error", err)
		}
	}
	if again {
		m.startBoot(s)
	}
}
