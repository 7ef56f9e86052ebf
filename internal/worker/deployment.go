package worker

import (
	"cmp"
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/pool"
	"github.com/hearthd/hearth/internal/runtimes"
)

// What the deployment manager asks for: environments made ahead of the
// requests, and an end for those that requests no longer go to.

const (
	// lingerFor is how long environments stay idle that requests no longer go
	// to: long enough for a rollback to find them.
	lingerFor = time.Minute
	// restAfterBoot times as long as an environment took to make, and for
	// longestRest at most, Prepare rests before it makes the next, so that
	// running requests hardly feel it.
	restAfterBoot = 2
	longestRest   = 200 * time.Millisecond
	// nextBoot is how long Prepare waits at most for one environment before it
	// begins the next: an initialisation that takes longer mostly waits for
	// others (a download, a connection), and so can several at a time.
	nextBoot = 500 * time.Millisecond
)

// Fetch brings a revision's code into the node's cache.
func (m *Manager) Fetch(ctx context.Context, rev *function.Revision) error {
	lease, err := m.rooms.Cache.Acquire(ctx, rev.CodeSHA256)
	if err != nil {
		return err
	}
	lease.Release()
	return nil
}

// Ahead is what there is to be of a revision before requests go to it.
type Ahead struct {
	// Environments is how many there are to be.
	Environments int
	// Busy is how many of them are expected to be at work at the same time: the
	// revision's [Load] until requests show it.
	Busy int
	// Beside is the revision in whose instances they are to stand, if there is
	// room, and which they are taken to be as quick as, until they show it.
	Beside string

	pace pace // Beside's
}

// Prepare boots environments of a revision, one after another (or a little
// apart, where they take long) and behind running requests, until there are
// enough, and returns when all are ready or with the first error: the same
// errors as Acquire's, but with no wait for room that nobody gives up.
func (m *Manager) Prepare(ctx context.Context, rev *function.Revision, a Ahead) error {
	if v, ok := m.sets.Load(a.Beside); ok {
		a.pace = v.(*set).paceNow()
	}
	m.preparing.Add(1)
	m.rooms.Pool.Calm()
	defer func() {
		m.rooms.Pool.Calm()
		m.preparing.Add(-1)
	}()
	boots, booting := errgroup.WithContext(ctx)
	for booting.Err() == nil {
		s := m.set(rev)
		has, ok := s.expectUpTo(a)
		if !ok {
			m.sets.CompareAndDelete(rev.ID, s)
			continue
		}
		if has >= a.Environments {
			break
		}
		start, ready := time.Now(), make(chan struct{})
		boots.Go(func() error {
			defer close(ready)
			return m.prepareAhead(booting, s, a)
		})
		if has+1 >= a.Environments {
			break
		}
		select {
		case <-ready:
			select {
			case <-time.After(min(restAfterBoot*time.Since(start), longestRest)):
			case <-booting.Done():
			}
		case <-time.After(nextBoot):
		case <-booting.Done():
		}
	}
	return cmp.Or(boots.Wait(), ctx.Err())
}

// prepareAhead makes one environment for [Manager.Prepare], which the set
// expects.
func (m *Manager) prepareAhead(ctx context.Context, s *set, a Ahead) error {
	e, err := m.prepare(ctx, s, order{by: runtimes.OnDemandInit, ahead: true, beside: m.instancesOf(a.Beside)})
	if err != nil {
		if s.calledOffAhead() {
			m.startBoot(s) // a request that asked by number finds out by itself
		}
		return err
	}
	switch {
	case !s.arrivedAhead(e, time.Now()): // the function was deleted meanwhile
		e.Discard()
	case ctx.Err() != nil: // it is too late, and nobody needs it
		e.end()
	}
	return ctx.Err()
}

// instancesOf lists the instances with environments of a revision.
func (m *Manager) instancesOf(revisionID string) []*pool.Instance {
	v, ok := m.sets.Load(revisionID)
	if !ok {
		return nil
	}
	var out []*pool.Instance
	seen := map[*pool.Instance]bool{}
	for _, e := range v.(*set).members() {
		if !seen[e.instance] {
			seen[e.instance] = true
			out = append(out, e.instance)
		}
	}
	return out
}

// Leave says that requests no longer go to a revision. Its environments finish
// what they run, stay idle for a minute so that a rollback finds them, and end.
// Those that are used later than that stay as others do.
func (m *Manager) Leave(revisionID string) {
	if v, ok := m.sets.Load(revisionID); ok {
		v.(*set).leave(time.Now())
	}
}

// RetireExcept says which revisions of a function may still be asked for:
// requests leave the others, and what of those never served ends at once. Nil
// says that the function is gone, and with it all its environments.
func (m *Manager) RetireExcept(key function.Key, wanted map[string]bool) {
	m.sets.Range(func(id, v any) bool {
		s := v.(*set)
		switch {
		case s.revision.Key != key || wanted[s.revision.ID]:
		case wanted == nil:
			m.retire(id.(string))
		default:
			s.leave(time.Now())
			for _, e := range s.resting() {
				if e.invocations.Load() == 0 && !e.kept.Load() {
					e.end()
				}
			}
		}
		return true
	})
}

// retire ends the environments of a revision that will not be asked for again:
// idle ones at once, busy ones when they are given back.
func (m *Manager) retire(revisionID string) {
	v, ok := m.sets.LoadAndDelete(revisionID)
	if !ok {
		return
	}
	for _, e := range v.(*set).retire() {
		e.Discard()
	}
}
