// Package functiontest has what tests need to run a catalog without a state
// store: [NewBucket] keeps one in memory. Everything happens in the caller's
// goroutine and at once, so that tests of what hangs on a catalog can decide
// what comes when, for example within package testing/synctest.
package functiontest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/state"
)

// Bucket is a [function.Bucket] in memory. It outlives the catalogs on it, as
// a state store outlives the nodes.
type Bucket struct {
	mu       sync.Mutex
	revision uint64
	entries  map[string][]state.Entry // every change of a key, the last one at the end
	watches  []watch
}

type watch struct {
	ctx  context.Context
	tell func(state.Entry)
}

var _ function.Bucket = (*Bucket)(nil)

// NewBucket returns an empty bucket.
func NewBucket() *Bucket { return &Bucket{entries: map[string][]state.Entry{}} }

// last is the present entry of a key; its Revision is 0 when there never was one.
func (b *Bucket) last(key string) state.Entry {
	if all := b.entries[key]; len(all) > 0 {
		return all[len(all)-1]
	}
	return state.Entry{Deleted: true}
}

// set is one change. b.mu is held.
func (b *Bucket) set(e state.Entry) uint64 {
	b.revision++
	e.Revision = b.revision
	b.entries[e.Key] = append(b.entries[e.Key], e)
	b.watches = slices.DeleteFunc(b.watches, func(w watch) bool { return w.ctx.Err() != nil })
	for _, w := range b.watches {
		w.tell(clone(e))
	}
	return b.revision
}

func clone(e state.Entry) state.Entry {
	e.Value = slices.Clone(e.Value)
	return e
}

// Get returns the present entry of a key, or state.ErrNotFound.
func (b *Bucket) Get(_ context.Context, key string) (state.Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.last(key)
	if e.Deleted {
		return state.Entry{}, state.ErrNotFound
	}
	return clone(e), nil
}

// Create sets a key that is not there.
func (b *Bucket) Create(_ context.Context, key string, value []byte) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.last(key).Deleted {
		return 0, state.ErrExists
	}
	return b.set(state.Entry{Key: key, Value: slices.Clone(value)}), nil
}

// Update sets a key that is still at the revision.
func (b *Bucket) Update(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last(key).Revision != revision {
		return 0, state.ErrConflict
	}
	return b.set(state.Entry{Key: key, Value: slices.Clone(value)}), nil
}

// Delete removes a key that is still at the revision.
func (b *Bucket) Delete(_ context.Context, key string, revision uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last(key).Revision != revision {
		return state.ErrConflict
	}
	b.set(state.Entry{Key: key, Deleted: true})
	return nil
}

// Past returns what the key was since it was last created, oldest first.
func (b *Bucket) Past(_ context.Context, key string) ([]state.Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.entries[key]
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Deleted {
			all = all[i+1:]
			break
		}
	}
	return slices.Clone(all), nil
}

// Watch tells every key as it is now, and every change until ctx ends.
func (b *Bucket) Watch(ctx context.Context, tell func(state.Entry)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var now []state.Entry
	for key := range b.entries {
		now = append(now, b.last(key))
	}
	slices.SortFunc(now, func(a, b state.Entry) int { return strings.Compare(a.Key, b.Key) })
	for _, e := range now {
		tell(clone(e))
	}
	b.watches = append(b.watches, watch{ctx, tell})
	return nil
}
