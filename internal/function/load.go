package function

import (
	"runtime"
	"slices"
	"sync"

	"github.com/hearthd/hearth/internal/state"
)

// batchSize is how many entries are handed to a decoder at a time.
const batchSize = 512

// loader decodes entries on all processors while more of them arrive. Its
// methods are called one at a time.
type loader struct {
	batch   []state.Entry
	work    chan *[]decoded // of batches, decoded in place
	batches []*[]decoded    // in the order of arrival
	workers sync.WaitGroup
}

func newLoader(s Sealer) *loader {
	l := &loader{work: make(chan *[]decoded)}
	for range runtime.GOMAXPROCS(0) {
		l.workers.Go(func() {
			for batch := range l.work {
				for i := range *batch {
					(*batch)[i] = decode((*batch)[i].entry, s)
				}
			}
		})
	}
	return l
}

func (l *loader) add(e state.Entry) {
	l.batch = append(l.batch, e)
	if len(l.batch) == batchSize {
		l.flush()
	}
}

func (l *loader) flush() {
	out := make([]decoded, len(l.batch))
	for i, e := range l.batch {
		out[i].entry = e
	}
	l.batch = l.batch[:0]
	l.batches = append(l.batches, &out)
	l.work <- &out
}

// finish waits for the decoders, ends them, and returns the entries in the
// order in which they were added.
func (l *loader) finish() []decoded {
	l.flush()
	close(l.work)
	l.workers.Wait()
	var all []decoded
	for _, b := range l.batches {
		all = append(all, *b...)
	}
	return all
}

// load builds the views from what the watch delivered so far. The watch's
// goroutine waits meanwhile.
func (c *Catalog) load() {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries := c.loading.finish()
	c.loading = nil

	// Only the last entry of a key counts, and bodies must be known before the
	// records that name them.
	last := make(map[string]int, len(entries))
	for i := range entries {
		last[entries[i].entry.Key] = i
	}
	var records []*decoded
	for i := range entries {
		d := &entries[i]
		switch {
		case last[d.entry.Key] != i:
		case d.rec != nil && d.err == nil:
			records = append(records, d)
		default:
			c.apply(*d)
		}
	}
	views := make([]*View, 0, len(records))
	for _, d := range records {
		v := c.view(d.key, d.rec, d.entry.Revision, nil)
		d.rec = nil // garbage from here on
		views = append(views, v)
		t := c.tenant(v.Account)
		t.names = append(t.names, v.Name)
		t.codeSize += v.codeSize()
		t.count(v.Name, v)
		if v.Status.pending() {
			c.pending[v.Key] = struct{}{}
		}
	}
	c.table.fill(views)
	for _, t := range c.tenants {
		slices.Sort(t.names)
	}
	if n := len(entries); n > 0 {
		c.applied = entries[n-1].entry.Revision
	}
}
