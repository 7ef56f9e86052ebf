package function

import (
	"hash/maphash"
	"maps"
	"sync/atomic"
)

// table finds views by key without locks or allocations.
//
// It is an array of maps that are never modified: adding or removing a key
// replaces its shard's map by a copy (about a hundred entries at 100,000
// functions), and changing a view, which is the common write, only stores a
// pointer. Writers are serialised by the catalog; readers need nobody.
type table struct {
	seed   maphash.Seed
	shards [1024]atomic.Pointer[shard]
}

type shard map[Key]*atomic.Pointer[View]

func newTable() *table { return &table{seed: maphash.MakeSeed()} }

func (t *table) index(k Key) uint64 {
	h := maphash.String(t.seed, k.Name) ^ maphash.String(t.seed, string(k.Account))<<1
	return h % uint64(len(t.shards))
}

func (t *table) get(k Key) *View {
	s := t.shards[t.index(k)].Load()
	if s == nil {
		return nil
	}
	if p := (*s)[k]; p != nil {
		return p.Load()
	}
	return nil
}

// put makes v the view of its key.
func (t *table) put(v *View) {
	at := &t.shards[t.index(v.Key)]
	s := at.Load()
	if s != nil {
		if p := (*s)[v.Key]; p != nil {
			p.Store(v)
			return
		}
	}
	next := make(shard, 1)
	if s != nil {
		next = maps.Clone(*s)
	}
	p := new(atomic.Pointer[View])
	p.Store(v)
	next[v.Key] = p
	at.Store(&next)
}

// remove forgets k. A reader that holds the shard's former map may still see
// the last view; its lookup began before the removal was over.
func (t *table) remove(k Key) {
	at := &t.shards[t.index(k)]
	s := at.Load()
	if s == nil || (*s)[k] == nil {
		return
	}
	next := maps.Clone(*s)
	delete(next, k)
	at.Store(&next)
}

// fill loads many views at once into an empty table, without copying a
// shard's map for each of them.
func (t *table) fill(views []*View) {
	building := make([]shard, len(t.shards))
	for _, v := range views {
		i := t.index(v.Key)
		if building[i] == nil {
			building[i] = make(shard, len(views)/len(t.shards)+1)
		}
		p := new(atomic.Pointer[View])
		p.Store(v)
		building[i][v.Key] = p
	}
	for i := range building {
		if building[i] != nil {
			t.shards[i].Store(&building[i])
		}
	}
}

// all calls yield for every view, in no order, until it returns false.
func (t *table) all(yield func(*View) bool) {
	for i := range t.shards {
		s := t.shards[i].Load()
		if s == nil {
			continue
		}
		for _, p := range *s {
			if v := p.Load(); !yield(v) {
				return
			}
		}
	}
}
