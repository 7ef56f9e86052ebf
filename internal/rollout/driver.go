package rollout

import (
	"context"
	"sync"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/state"
)

const (
	// keepEvery is how often what the guards have seen is stored, so that a
	// killed node loses little of it.
	keepEvery = 5 * time.Second
	// retryAfter is the pause when the store failed.
	retryAfter = time.Second
	// moveFor bounds how long a step waits until its weights reach requests:
	// until there are environments of the new version.
	moveFor = time.Minute
	// operation names the changes that roll-outs make in a function's history.
	operation = "Rollout"
	leaseName = "rollouts"
)

// Run drives all roll-outs whenever this node is the one that does, until ctx
// ends.
func (r *Rollouts) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.opts.State.Lead(ctx, state.Lease{Name: leaseName, Holder: r.opts.Node}, r.lead)
		if err == nil {
			return
		}
		r.log.Warn("roll-outs stand still on this node; trying again", "error", err)
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
		}
	}
}

// lead drives until ctx ends.
func (r *Rollouts) lead(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	enlist := func(key string) { // with r.mu held
		d := newDriver(r, key)
		r.drivers[key] = d
		wg.Go(func() { d.run(ctx) })
	}
	r.mu.Lock()
	for key, e := range r.known {
		if !e.Current.State.Ended() {
			enlist(key)
		}
	}
	r.enlist = enlist
	r.mu.Unlock()
	<-ctx.Done()
	r.mu.Lock()
	r.enlist = nil
	r.mu.Unlock()
}

// driver drives the roll-outs of one alias, one after the other.
type driver struct {
	*Rollouts
	entryKey string
	kicks    chan struct{} // has one element when there may be something to do

	// What follows is advance's alone.
	hook   *hookRun  // the one under way, or the last one
	move   moving    // the last one asked for
	kept   time.Time // when what the guards have seen was stored
	stored int       // how much of it

	mu         sync.Mutex
	id         string // of the roll-out that comparison is for
	comparison *comparison
	unobserve  func()
}

// moving is a change of the alias that was asked for.
type moving struct {
	revisionID string // of the alias
	since      time.Time
}

func newDriver(r *Rollouts, key string) *driver {
	return &driver{Rollouts: r, entryKey: key, kicks: make(chan struct{}, 1)}
}

// kick has the driver look again.
func (d *driver) kick() {
	select {
	case d.kicks <- struct{}{}:
	default:
	}
}

// run advances the roll-out until it has ended or ctx has.
func (d *driver) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer d.leave()
	stop := d.opts.Catalog.Changes(func(key function.Key, _ *function.View) {
		if d.concerns(key) {
			d.kick()
		}
	})
	defer stop()
	for ctx.Err() == nil {
		next, err := d.advance(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			d.log.Warn("a roll-out waits; trying again", "rollout", d.entryKey, "error", err)
			next = d.opts.Now().Add(retryAfter)
		case next.IsZero():
			if d.retire() {
				return
			}
			continue
		}
		wait := time.NewTimer(next.Sub(d.opts.Now()))
		select {
		case <-wait.C:
		case <-d.kicks:
		case <-ctx.Done():
		}
		wait.Stop()
	}
}

// retire takes the driver of an ended roll-out off the list, unless the next
// one has begun.
func (d *driver) retire() bool {
	d.Rollouts.mu.Lock()
	defer d.Rollouts.mu.Unlock()
	if e := d.known[d.entryKey]; e != nil && !e.Current.State.Ended() {
		select {
		case <-d.kicks: // there is news that advance has not seen
			return false
		default:
		}
	}
	delete(d.drivers, d.entryKey)
	return true
}

// leave takes the driver off the list when it ends for another reason.
func (d *driver) leave() {
	d.forget()
	d.Rollouts.mu.Lock()
	defer d.Rollouts.mu.Unlock()
	if d.drivers[d.entryKey] == d {
		delete(d.drivers, d.entryKey)
	}
}
