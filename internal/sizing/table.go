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
// modified: a change replaces the shard's map by a copy. Readers need nobody;
// writers take turns.
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

// put makes s the series of a revision, in the place of those that it was of
// before.
func (t *table) put(id string, s *series) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.get(id) == s {
		return
	}
	if s.linked != "" {
		t.change(s.linked, func(m map[string]*series) { delete(m, s.linked) })
	}
	t.change(id, func(m map[string]*series) { m[id] = s })
	s.linked = id
}

// drop forgets a series.
func (t *table) drop(s *series) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.linked != "" {
		t.change(s.linked, func(m map[string]*series) { delete(m, s.linked) })
		s.linked = ""
	}
}

func (t *table) change(id string, f func(map[string]*series)) {
	at := t.at(id)
	next := map[string]*series{}
	if m := at.Load(); m != nil {
		next = maps.Clone(*m)
	}
	f(next)
	at.Store(&next)
}
