package sizing

import (
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"
)

// shards of a table: at a million revisions a shard's map has about 250
// entries, which is what adding one copies.
const shards = 4096

// table finds series by the revision's ID without a lock. Its maps are never
// modified: adding a key replaces its shard's map by a copy. Readers need
// nobody; writers take turns.
type table struct {
	seed   maphash.Seed
	shards [shards]atomic.Pointer[map[string]*series]
	mu     sync.Mutex // of writers
}

func newTable() *table { return &table{seed: maphash.MakeSeed()} }

func (t *table) at(id string) *atomic.Pointer[map[string]*series] {
	return &t.shards[maphash.String(t.seed, id)%shards]
}

func (t *table) get(id string) *series {
	if m := t.at(id).Load(); m != nil {
		return (*m)[id]
	}
	return nil
}

// ensure returns the series of a revision, a new one where there is none.
func (t *table) ensure(id string) *series {
	if s := t.get(id); s != nil {
		return s
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.at(id)
	next := map[string]*series{}
	if m := at.Load(); m != nil {
		if s := (*m)[id]; s != nil {
			return s
		}
		next = maps.Clone(*m)
	}
	s := new(series)
	next[id] = s
	at.Store(&next)
	return s
}
