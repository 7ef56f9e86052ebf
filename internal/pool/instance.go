package pool

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/sandbox"
)

// Ready is a pre-booted environment: everything but the code is there.
type Ready struct {
	sandbox.Environment
	Instance *Instance
	Runtime  string
	// MB is what is reserved for it; whoever takes it owns the reservation.
	MB     int
	Booted time.Time
}

// Instance is a sandbox instance with the account of its memory. It belongs
// to nobody while it is in the warming pool; [Pool.Take] gives it to an
// account, for good: an instance never serves two accounts.
type Instance struct {
	sandbox.Instance
	budget *Budget

	mu        sync.Mutex
	account   account.ID
	allocated int
	ready     []*Ready
	coming    chan struct{} // closed when what is being pre-booted is there; nil when nothing is
	comingOf  string        // its runtime
	held      int           // environments that are in it or on their way into it
	closed    bool          // to what would be pre-booted in it
	destroyed bool
}

// Account is the owner, or "" for an instance of the warming pool.
func (i *Instance) Account() account.ID {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.account
}

// Allocated is the memory reserved in the instance, in MiB.
func (i *Instance) Allocated() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.allocated
}

// Hold reserves mb MiB for one more environment; it fails when the instance or
// the node has no room or the instance is being destroyed. Let ends it.
func (i *Instance) Hold(mb int) bool { return i.HoldWithin(mb, 1) }

// HoldWithin is Hold for an environment that is to replace others, which are
// still there: so many times the capacity and the budget may be promised.
func (i *Instance) HoldWithin(mb int, times float64) bool { return i.hold(mb, times, times) }

func (i *Instance) hold(mb int, ofInstance, ofBudget float64) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.destroyed || i.allocated+mb > i.room(ofInstance) || !i.budget.ReserveWithin(mb, ofBudget) {
		return false
	}
	i.allocated += mb
	i.held++
	return true
}

// Grow changes the reservation of an environment by mb MiB. It fails when there
// is no room; to give back, with a negative mb, never fails.
func (i *Instance) Grow(mb int) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.growLocked(mb, 1)
}

// growLocked is to Grow what HoldWithin is to Hold.
func (i *Instance) growLocked(mb int, times float64) bool {
	if mb > 0 && (i.allocated+mb > i.room(times) || !i.budget.ReserveWithin(mb, times)) {
		return false
	}
	if mb < 0 {
		i.budget.Release(-mb)
	}
	i.allocated += mb
	return true
}

// Fits is how many more environments of mb MiB HoldWithin would take now, as far
// as the instance goes.
func (i *Instance) Fits(mb int, times float64) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.destroyed {
		return 0
	}
	return max(0, (i.room(times)-i.allocated)/mb)
}

// room is what may be promised of the instance, in MiB.
func (i *Instance) room(times float64) int {
	return int(float64(i.Capacity().MemoryMB) * max(1, times))
}

// Let gives the reservation of an environment back. With the last one the
// instance is destroyed.
func (i *Instance) Let(mb int) error {
	i.mu.Lock()
	i.allocated -= mb
	i.budget.Release(mb)
	i.held--
	last := i.held == 0 && !i.destroyed
	i.destroyed = i.destroyed || last
	i.mu.Unlock()
	if !last {
		return nil
	}
	return i.Destroy()
}

// Gone tells whether the instance was destroyed.
func (i *Instance) Gone() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.destroyed
}

// TakeReady takes a pre-booted environment of the runtime out of the
// instance, or returns nil. The caller owns its reservation.
func (i *Instance) TakeReady(runtime string) *Ready {
	return i.takeReady(runtime, func(*Ready) bool { return true })
}

// TakeReadyWithin is TakeReady for an environment of mb MiB, which it reserves
// as HoldWithin does. It is nil where there is no room for that, too.
func (i *Instance) TakeReadyWithin(runtime string, mb int, times float64) *Ready {
	return i.takeReady(runtime, func(r *Ready) bool {
		ok := i.growLocked(mb-r.MB, times)
		if ok {
			r.MB = mb
		}
		return ok
	})
}

// takeReady takes the first, if it can be made what it is to be.
func (i *Instance) takeReady(runtime string, makeLocked func(*Ready) bool) *Ready {
	for {
		i.mu.Lock()
		n := slices.IndexFunc(i.ready, func(r *Ready) bool { return r.Runtime == runtime })
		if n < 0 || !makeLocked(i.ready[n]) {
			i.mu.Unlock()
			return nil
		}
		r := i.ready[n]
		i.ready = slices.Delete(slices.Clone(i.ready), n, n+1)
		i.mu.Unlock()
		select {
		case <-r.Done(): // its interpreter ended while it waited
			_ = r.Discard()
		default:
			return r
		}
	}
}

// TakeAny takes one of the pre-booted environments out of the instance, or
// returns nil.
func (i *Instance) TakeAny() *Ready {
	for _, r := range i.Ready() {
		if i.Take(r) {
			return r
		}
	}
	return nil
}

// Take takes this very environment out of the instance; false when it was not
// there any more.
func (i *Instance) Take(r *Ready) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := slices.Index(i.ready, r)
	if n < 0 {
		return false
	}
	i.ready = slices.Delete(slices.Clone(i.ready), n, n+1)
	return true
}

// CountReady is how many pre-booted environments of a runtime there are.
func (i *Instance) CountReady(runtime string) (n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, r := range i.ready {
		if r.Runtime == runtime {
			n++
		}
	}
	return n
}

// Coming is closed when what is being pre-booted of a runtime is ready, or will
// not be; nil when nothing is.
func (i *Instance) Coming(runtime string) <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.comingOf != runtime {
		return nil
	}
	return i.coming
}

// expect announces that an environment of a runtime is being pre-booted until
// the returned function is called; there is one at a time.
func (i *Instance) expect(runtime string) (done func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.coming, i.comingOf = make(chan struct{}), runtime
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		close(i.coming)
		i.coming = nil
	}
}

// Ready lists the pre-booted environments.
func (i *Instance) Ready() []*Ready {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]*Ready(nil), i.ready...)
}

// Close discards the pre-booted environments, and what is being pre-booted will
// not be added to them.
func (i *Instance) Close() error {
	i.mu.Lock()
	ready := i.ready
	i.ready, i.closed = nil, true
	i.mu.Unlock()
	var errs []error
	for _, r := range ready {
		errs = append(errs, r.Discard())
	}
	return errors.Join(errs...)
}

// add puts a pre-booted environment into the instance, unless that is gone or
// closed.
func (i *Instance) add(r *Ready) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.destroyed || i.closed {
		return false
	}
	i.ready = append(i.ready, r)
	return true
}

// raise raises the rank of a pre-booted environment that has come up behind all
// others, unless it was taken: further up from there is quick.
func (i *Instance) raise(r *Ready) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if slices.Contains(i.ready, r) {
		_ = r.SetRank(sandbox.Behind) // unless it has ended
	}
}

// Discard kills a pre-booted environment that was taken and gives its
// reservation back.
func (r *Ready) Discard() error {
	r.Kill()
	return errors.Join(r.Release(), r.Instance.Let(r.MB))
}
