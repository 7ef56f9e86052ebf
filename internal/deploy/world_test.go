package deploy

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/runtimeapi"
	"github.com/hearthd/hearth/internal/worker"
)

// world is the environments of a node in a test's head. Boots end when the
// test says so, and how the code decides: its sha says "bad" when it does not
// initialise.
type world struct {
	mu       sync.Mutex
	there    map[string]int // environments by revision ID
	busy     map[string]int
	leaving  map[string]bool
	boots    []*boot
	full     bool // no room for what nobody waits for
	refused  bool // there was none for something
	stumbled bool // a boot failed by the node's fault, and is tried again later
}

// boot is one environment on its way.
type boot struct {
	rev *function.Revision
	end chan error // capacity 1
}

var _ Workers = (*world)(nil)

func newWorld() *world {
	return &world{there: map[string]int{}, busy: map[string]int{}, leaving: map[string]bool{}}
}

func (w *world) Load(id string) worker.Load {
	w.mu.Lock()
	defer w.mu.Unlock()
	return worker.Load{Environments: w.there[id], Busy: w.busy[id], Leaving: w.leaving[id]}
}

func (w *world) Fetch(context.Context, *function.Revision) error { return nil }

func (w *world) Prepare(ctx context.Context, rev *function.Revision, a worker.Ahead) error {
	for {
		w.mu.Lock()
		delete(w.leaving, rev.ID)
		w.busy[rev.ID] = max(w.busy[rev.ID], a.Busy)
		if w.there[rev.ID] >= a.Environments {
			w.mu.Unlock()
			return nil
		}
		if w.full {
			w.refused = true
			w.mu.Unlock()
			return worker.ErrNoCapacity
		}
		b := &boot{rev, make(chan error, 1)}
		w.boots = append(w.boots, b)
		w.mu.Unlock()
		select {
		case err := <-b.end:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			w.drop(b)
			return ctx.Err()
		}
	}
}

func (w *world) drop(b *boot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.boots {
		if w.boots[i] == b {
			w.boots = append(w.boots[:i:i], w.boots[i+1:]...)
			return
		}
	}
}

// finish ends the i-th boot as its code says; false when there is none.
func (w *world) finish(i int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.boots) == 0 {
		return false
	}
	i %= len(w.boots)
	b := w.boots[i]
	w.boots = append(w.boots[:i:i], w.boots[i+1:]...)
	if strings.Contains(b.rev.CodeSHA256, "bad") {
		b.end <- &worker.InitFailure{Posted: &runtimeapi.InitError{ErrorType: "Runtime.ImportModuleError"}}
		return true
	}
	w.there[b.rev.ID]++
	b.end <- nil
	return true
}

// stumble ends a boot by a failure of the node's.
func (w *world) stumble() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.boots) > 0 {
		w.stumbled = true
		w.boots[0].end <- fmt.Errorf("no such device")
		w.boots = w.boots[1:]
	}
}

func (w *world) Keep(function.Key, []worker.Kept)    {}
func (w *world) Provisioned(string) worker.Provision { return worker.Provision{} }
func (w *world) ProvisionNews() <-chan struct{}      { return nil }

func (w *world) Leave(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaving[id] = true
}

func (w *world) RetireExcept(key function.Key, wanted map[string]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.there {
		if !wanted[id] {
			w.leaving[id] = true
		}
		if wanted == nil {
			delete(w.there, id)
		}
	}
}

// drain ends what requests left: its minute is over.
func (w *world) drain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.leaving {
		delete(w.there, id)
	}
	w.leaving = map[string]bool{}
}

// answered notes that an environment of the revision ran a request, with
// others at the same time.
func (w *world) answered(id string, busy int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.there[id] = max(w.there[id], busy)
	w.busy[id] = busy
}
