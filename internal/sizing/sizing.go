// Package sizing gives functions the amount of memory and CPU that they really
// need. It learns from every execution ([Sizing.Observe]), and says what an
// environment is to be given ([Sizing.Amount]).
//
// What an owner asked for, MemorySize, is never changed: in the mode "apply"
// environments get the effective amount instead. A [Policy], made of the
// function's tags, says what may be done.
package sizing

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/state"
)

// Rooms are what sizing works with.
type Rooms struct {
	Store   *state.Store
	Catalog *function.Catalog
}

// Options of [Open].
type Options struct {
	Log *slog.Logger
}

// Sizing sizes the functions of one Hearth. It is safe for concurrent use.
type Sizing struct {
	rooms Rooms
	opts  Options
	table *table
}

// series is what is known of one revision.
type series struct {
	effective atomic.Uint64 // a packed Amount; 0 is what the owner asked for
	suggested atomic.Int64  // MB; 0 for none
}

// Open opens the room; Close it.
func Open(_ context.Context, rooms Rooms, o Options) (*Sizing, error) {
	return &Sizing{rooms: rooms, opts: o, table: newTable()}, nil
}

// Close writes down what was learned.
func (s *Sizing) Close() error { return nil }

// Amount is what an environment of the revision is to be given for the next
// execution. probe says that this execution is to learn from another amount
// than the one in force; Observe wants to hear of it.
func (s *Sizing) Amount(_ *function.View, rev *function.Revision) (a Amount, probe bool) {
	if e := s.table.get(rev.ID); e != nil {
		if packed := e.effective.Load(); packed != 0 {
			return unpack(packed), false
		}
	}
	return Amount{Memory: rev.Config.Memory, CPU: rev.Config.Memory}, false
}

func unpack(packed uint64) Amount {
	return Amount{Memory: function.MemoryMB(packed & 0xffff), CPU: function.MemoryMB(packed >> 16 & 0xffff)}
}

func (a Amount) pack() uint64 { return uint64(a.Memory) | uint64(a.CPU)<<16 }

// Observe learns from an execution, after its answer was given.
func (s *Sizing) Observe(view *function.View, rev *function.Revision, e Execution) {
	if e.Override || e.Outcome != OutOfMemory {
		return
	}
	p := PolicyOf(view.Tags, rev.Config.Memory)
	next := min(p.Max, e.limit()+e.limit()/2)
	if p.Mode == Off || next <= e.limit() {
		return
	}
	known := s.table.ensure(rev.ID)
	known.suggested.Store(int64(next))
	if p.Mode == Apply {
		known.effective.Store(Amount{Memory: next, CPU: next}.pack())
	}
}

// Suggested is the amount that the revision should have where that is more
// than it has: what an answer that ran short of it tells its caller.
func (s *Sizing) Suggested(_ *function.View, rev *function.Revision) (function.MemoryMB, bool) {
	if e := s.table.get(rev.ID); e != nil {
		if mb := e.suggested.Load(); mb != 0 {
			return function.MemoryMB(mb), true
		}
	}
	return 0, false
}
