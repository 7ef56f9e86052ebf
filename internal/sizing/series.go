package sizing

import (
	"encoding/binary"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unique"

	"github.com/hearthd/hearth/internal/function"
)

// family are the series of one function, a deleted one of the same name apart.
type family struct {
	id     string
	series []*series // by version, in no order
}

// series is one version of a function on this node: what is in force, what was
// decided, what was learned.
type series struct {
	// effective is a packed Amount, 0 for what the owner asked for; suggested
	// is in MB, 0 for none. They are what the warm path reads.
	effective atomic.Uint64
	suggested atomic.Int64
	probing   atomic.Pointer[probing]
	queued    atomic.Bool // in Sizing.due

	linked   string // the revision under which the table has it; guarded by the table
	function function.Key
	key      string // of the records
	version  string

	mu       sync.Mutex
	revision string                // the ID of the one that evidence is of; "" for none yet
	release  uint64                // fingerprint of what it runs
	policy   unique.Handle[Policy] // shared: most functions have the same
	evidence *Evidence
	loaded   bool // what is stored was read
	unsaved  bool
	count    int32 // executions since the last decision
	standing Standing
	// asked is the owner's MemorySize that standing belongs to.
	asked       function.MemoryMB
	recommended Amount
	// inherits is the amount in force of the version before it, for one that
	// nothing was decided for.
	inherits Amount
}

// probing is a share of executions at another amount.
type probing struct {
	amount Amount
	every  uint32
	calls  atomic.Uint32
}

// observe takes in an execution and reports whether it is time to decide, once
// until that was done.
func (at *series) observe(e *Execution) bool {
	at.mu.Lock()
	p := at.policy.Value()
	if p.Mode == Off {
		at.mu.Unlock()
		return false
	}
	if at.evidence == nil {
		at.evidence = NewEvidence()
	}
	at.evidence.Add(e)
	at.unsaved = true
	at.count++
	if e.Outcome == OutOfMemory && !e.Override {
		// The answer to this very execution says so already; what is decided
		// in a moment is as much, or more.
		more := p.clip(roundUp(raiseKilled * float64(e.limit())))
		if more > e.limit() && int64(more) > at.suggested.Load() {
			at.suggested.Store(int64(more))
		}
	}
	due := int(at.count) >= DecideEvery(p) || Urgent(e) || !at.loaded
	at.mu.Unlock()
	return due && at.queued.CompareAndSwap(false, true)
}

// admit makes the revision known, unless its owner wants no sizing or it is not
// the function's any more.
func (s *Sizing) admit(view *function.View, rev *function.Revision) *series {
	p := s.policy(view, rev)
	if p.Mode == Off || !live(view, rev) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.seriesLocked(view.Key, view.FunctionID, rev.Version)
	at.adopt(rev, p)
	s.table.put(rev.ID, at)
	return at
}

// find returns the series of a version, or nil.
func (s *Sizing) find(view *function.View, version string) *series {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[view.Key]
	if f == nil || f.id != view.FunctionID {
		return nil
	}
	for _, at := range f.series {
		if at.version == version {
			return at
		}
	}
	return nil
}

// policy is the owner's, with the node's options.
func (s *Sizing) policy(view *function.View, rev *function.Revision) Policy {
	p := PolicyOf(view.Tags, rev.Config.Memory)
	p.Window, p.MBPerCPU = s.opts.Window, s.opts.MBPerCPU
	return p
}

// live reports whether the revision is what requests are answered by; one that
// is only wanted is not yet, and those that came before are not any more.
func live(view *function.View, rev *function.Revision) bool {
	if rev.FunctionID != view.FunctionID {
		return false
	}
	if rev.Version == function.Latest {
		if view.Serving == nil {
			return rev.ID == view.Wanted.ID
		}
		return rev.ID == view.Serving.ID
	}
	return view.Versions[rev.Version] != nil
}

// seriesLocked returns the series of a version, a new one where there is none.
// s.mu is held.
func (s *Sizing) seriesLocked(key function.Key, id, version string) *series {
	f := s.functions[key]
	if f == nil || f.id != id {
		f = &family{id: id}
		s.functions[key] = f
	}
	for _, at := range f.series {
		if at.version == version {
			return at
		}
	}
	at := &series{function: key, key: recordKey(id, version), version: version}
	f.inherit(at)
	f.series = append(f.series, at)
	return at
}

// inherit has a version begin where the one before it is: the published one
// with the number before it, or else $LATEST, which it was made from.
func (f *family) inherit(at *series) {
	var before *series
	for _, other := range f.series {
		if other.version == function.Latest || older(other.version, at.version) && (before == nil || before.version == function.Latest || older(before.version, other.version)) {
			if before == nil || other.version != function.Latest {
				before = other
			}
		}
	}
	if before == nil || at.version == function.Latest {
		return
	}
	before.mu.Lock()
	defer before.mu.Unlock()
	if before.evidence == nil {
		return
	}
	at.evidence = before.evidence.After(before.policy.Value().Quantile)
	at.inherits, at.asked = before.standing.Amount, before.asked
}

// older compares numbers of versions.
func older(a, b string) bool {
	if a == function.Latest || b == function.Latest {
		return false
	}
	return len(a) < len(b) || len(a) == len(b) && strings.Compare(a, b) < 0
}

// adopt makes rev the revision that the series is of. Other code or another
// configuration is a new release, which adopt reports; another MemorySize is a
// new beginning.
func (at *series) adopt(rev *function.Revision, p Policy) (release bool) {
	at.mu.Lock()
	defer at.mu.Unlock()
	at.policy = unique.Make(p)
	if at.revision == rev.ID {
		return false
	}
	runs := fingerprint(rev)
	if at.revision != "" && runs != at.release && at.evidence != nil {
		at.evidence.Succeed(p.Quantile)
		at.unsaved, release = true, true
	}
	at.revision, at.release = rev.ID, runs
	at.enforceLocked()
	return release
}

// enforceLocked brings what the warm path reads in line with what stands.
// at.mu is held.
func (at *series) enforceLocked() {
	p := at.policy.Value()
	effective := uint64(0)
	if p.Mode == Apply && at.asked == p.Asked && at.standing.Amount != (Amount{}) {
		a := at.standing.Amount
		effective = p.amount(p.clip(a.Memory)).pack()
	}
	at.effective.Store(effective)
	suggested := int64(0)
	if at.asked == p.Asked && at.recommended.Memory > at.inForceLocked().Memory && p.Mode != Off {
		suggested = int64(at.recommended.Memory)
	}
	if suggested > 0 || at.evidence == nil || at.evidence.trial.Killed == 0 || p.Mode == Off {
		at.suggested.Store(suggested) // or else what observe said stays until it is decided about
	}
	if p.Mode != Apply || p.Probe == 0 {
		at.probing.Store(nil)
	}
}

// inForceLocked is what environments get. at.mu is held.
func (at *series) inForceLocked() Amount {
	if packed := at.effective.Load(); packed != 0 {
		return unpack(packed)
	}
	asked := at.policy.Value().Asked
	return Amount{Memory: asked, CPU: asked}
}

// stands is the standing that decisions build on: none while only recommending,
// or when the owner asked for another amount meanwhile. at.mu is held.
func (at *series) stands() Standing {
	if p := at.policy.Value(); p.Mode != Apply || at.asked != p.Asked {
		return Standing{}
	}
	return at.standing
}

// fingerprint tells releases apart: everything that is run, and not with how
// much memory.
func fingerprint(rev *function.Revision) uint64 {
	h := fnv.New64a()
	field := func(s string) {
		var n [4]byte
		binary.LittleEndian.PutUint32(n[:], uint32(len(s)))
		_, _ = h.Write(n[:])
		_, _ = h.Write([]byte(s))
	}
	c := &rev.Config
	field(rev.CodeSHA256)
	field(c.Runtime)
	field(c.Handler)
	for _, l := range c.Layers {
		field(l)
	}
	for _, k := range slices.Sorted(maps.Keys(c.Environment)) {
		field(k)
		field(c.Environment[k])
	}
	return h.Sum64()
}

// changed follows the catalog: tags, updates, and functions that are gone.
func (s *Sizing) changed(key function.Key, view *function.View) {
	var gone []*series
	s.mu.Lock()
	f := s.functions[key]
	if f != nil {
		if view == nil || f.id != view.FunctionID {
			gone = f.series
			delete(s.functions, key)
		} else {
			gone = s.syncLocked(view, f)
		}
		for _, at := range gone {
			s.table.drop(at)
		}
	}
	s.mu.Unlock()
	for _, at := range gone {
		if err := s.remove(s.life, at.key); err != nil && s.life.Err() == nil {
			s.opts.Log.Warn("what sizing knew of a deleted function remains until the next start", "function", key.Name, "error", err)
		}
	}
}

// syncLocked brings a function's series in line with its view, and takes out
// and returns those of versions that are gone. s.mu is held.
func (s *Sizing) syncLocked(view *function.View, f *family) (gone []*series) {
	f.series = slices.DeleteFunc(f.series, func(at *series) bool {
		if at.version != function.Latest && view.Versions[at.version] == nil {
			gone = append(gone, at)
			return true
		}
		return false
	})
	for _, at := range f.series {
		rev := view.Wanted
		if at.version != function.Latest {
			rev = &view.Versions[at.version].Revision
		}
		p := s.policy(view, rev)
		serving := at.version != function.Latest || view.Serving == nil || view.Serving.ID == rev.ID
		at.mu.Lock()
		if !serving && at.revision == view.Serving.ID {
			p = s.policy(view, view.Serving) // the update is not there yet
		}
		changed := at.policy.Value() != p
		at.policy = unique.Make(p)
		at.enforceLocked()
		at.mu.Unlock()
		if serving {
			if at.adopt(rev, p) {
				changed = true // it is given more before its first execution
			}
			s.table.put(rev.ID, at)
		}
		if changed && at.queued.CompareAndSwap(false, true) {
			s.due.push(at)
		}
	}
	return gone
}
