// Package deploy is the deployment manager: it makes what an owner wants
// ($LATEST as last set) what the platform serves.
//
// A create or an update leaves a function with a wanted revision that does not
// serve yet. The manager fetches its code into the node's code cache and then
// completes the update in the catalog. Where the previous revision has
// environments, it first boots as many of the new one beside them. Until then
// the previous revision answers, and nobody waits. When the new code cannot be
// unpacked or does not initialise, the update fails with a reason, and the
// previous revision goes on. Environments of revisions that can no longer be
// asked for are retired.
//
// What it works on is in the catalog, not here: after a crash it goes on with
// every update that is still in progress.
package deploy

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hearthd/hearth/internal/code"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/pool"
	"github.com/hearthd/hearth/internal/runtimes"
	"github.com/hearthd/hearth/internal/worker"
)

const (
	// atOnce updates are prepared at the same time.
	atOnce = 4
	// retryAfter is the pause before another try when the store or the disk
	// failed; the update stays in progress meanwhile.
	retryAfter = 2 * time.Second
)

// Rooms are what the manager works with.
type Rooms struct {
	Catalog  *function.Catalog
	Cache    *code.Cache
	Workers  *worker.Manager
	Limits   *worker.Concurrency
	Pool     *pool.Pool
	Runtimes *runtimes.Set
}

// Manager is the deployment manager of one node.
type Manager struct {
	rooms Rooms
	log   *slog.Logger
	news  news
	work  chan function.Key // never closed

	mu     sync.Mutex
	queued map[function.Key]bool // in work, or being worked on (value: changed again meanwhile)
}

// New returns a manager that follows the catalog; Run does the work.
func New(rooms Rooms, log *slog.Logger) *Manager {
	return &Manager{rooms: rooms, log: log, work: make(chan function.Key, 1024), queued: map[function.Key]bool{}}
}

// Run follows the catalog and completes updates until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case key := <-m.work:
					m.settle(ctx, key)
				}
			}
		})
	}
	stop := m.rooms.Catalog.Changes(func(key function.Key, view *function.View) { m.changed(ctx, key, view) })
	defer stop()
	for view := range m.rooms.Catalog.All() {
		m.changed(ctx, view.Key, view)
	}
	wg.Wait()
}

// changed brings the other rooms in line with the catalog.
func (m *Manager) changed(ctx context.Context, key function.Key, view *function.View) {
	m.news.changed(key)
	reserved := function.NoReservation
	wanted := map[string]bool{} // revisions that may still be asked for
	if view != nil {
		if reserved = view.Reserved; reserved == function.NoReservation {
			reserved = view.Guaranteed()
		}
		if rt, _, err := m.rooms.Runtimes.For(view.Wanted.Config.Runtime); err == nil {
			m.rooms.Pool.Keep(rt.Name)
		}
		if view.Status.Update == function.InProgress {
			wanted[view.Wanted.ID] = true // its environments are prepared before it serves
		}
		if view.Serving != nil {
			wanted[view.Serving.ID] = true
		}
		for _, v := range view.Versions {
			wanted[v.ID] = true
		}
		if view.Serving != view.Wanted || moves(view) {
			m.enqueue(ctx, key)
		}
	}
	m.rooms.Limits.Changed(key, reserved)
	m.keep(key, view)
	m.rooms.Workers.RetireExcept(key, wanted)
}

// enqueue has the function's update prepared, soon.
func (m *Manager) enqueue(ctx context.Context, key function.Key) {
	m.mu.Lock()
	_, known := m.queued[key]
	m.queued[key] = known
	m.mu.Unlock()
	if known {
		return
	}
	select {
	case m.work <- key:
	default:
		go func() { // the queue is full: whoever changed the catalog must not wait for it
			select {
			case m.work <- key:
			case <-ctx.Done():
			}
		}()
	}
}

// settle works on one function until nothing is left to do for it.
func (m *Manager) settle(ctx context.Context, key function.Key) {
	for {
		m.prepare(ctx, key)
		m.move(ctx, key)
		m.mu.Lock()
		again := m.queued[key]
		if !again || ctx.Err() != nil {
			delete(m.queued, key)
			m.mu.Unlock()
			return
		}
		m.queued[key] = false
		m.mu.Unlock()
	}
}

// prepare fetches the code of the wanted revision and completes the update, or
// fails it.
func (m *Manager) prepare(ctx context.Context, key function.Key) {
	for ctx.Err() == nil {
		view, ok := m.rooms.Catalog.Lookup(key)
		if !ok || view.Serving == view.Wanted || view.Status.Update == function.Failed && view.Status.State != function.Pending {
			return
		}
		rev := view.Wanted
		err := m.fetch(ctx, rev)
		if err == nil {
			err = m.warm(ctx, view)
		}
		var invalid *code.InvalidError
		var failed *worker.InitFailure
		switch {
		case err == nil:
			_, err = m.rooms.Catalog.CompleteUpdate(ctx, key, rev.ID)
		case errors.As(err, &invalid):
			_, err = m.rooms.Catalog.FailUpdate(ctx, key, rev.ID, "InvalidZipFileException", invalid.Error())
		case errors.As(err, &failed):
			_, err = m.rooms.Catalog.FailUpdate(ctx, key, rev.ID, reasonCode(failed), failed.Error()+"; the previous code and configuration go on serving. The function's log has more.")
		}
		if err == nil || function.IsKind(err, function.NotFound) {
			continue // look again: it may have been changed meanwhile
		}
		m.log.Warn("an update waits; trying again", "function", key.Name, "account", key.Account, "error", err)
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
		}
	}
}

// warm boots as many environments of the wanted revision as the serving one
// has: a second environment beside each, so that nobody meets a cold start when
// the traffic moves. An initialisation that fails is the new revision's fault
// and is returned; a node without room for both is no reason to wait.
func (m *Manager) warm(ctx context.Context, view *function.View) error {
	if view.Serving == nil || view.Serving.ID == view.Wanted.ID {
		return nil
	}
	need := m.rooms.Workers.Count(view.Serving.ID) - m.rooms.Workers.Count(view.Wanted.ID)
	err := m.rooms.Workers.Prepare(ctx, view.Wanted, max(0, need))
	var failed *worker.InitFailure
	if err != nil && !errors.As(err, &failed) && ctx.Err() == nil {
		m.log.Info("an update goes ahead without prepared environments", "function", view.Name, "account", view.Account, "error", err)
		return nil
	}
	return err
}

// reasonCode is Lambda's LastUpdateStatusReasonCode for a failed initialisation.
func reasonCode(f *worker.InitFailure) string {
	switch {
	case f.TimedOut:
		return "FunctionError.InitTimeout"
	case f.Posted != nil:
		return "FunctionError.RuntimeInitError"
	case f.Exit != nil && f.Exit.OOM:
		return "FunctionError.InitResourceExhausted"
	default:
		return "FunctionError"
	}
}

// fetch makes sure that the node's cache has the code.
func (m *Manager) fetch(ctx context.Context, rev *function.Revision) error {
	lease, err := m.rooms.Cache.Acquire(ctx, rev.CodeSHA256)
	if err != nil {
		return err
	}
	lease.Release()
	return nil
}
