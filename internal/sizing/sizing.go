// Package sizing gives functions the amount of memory and CPU that they really
// need. It learns from every execution, and says what an environment is given:
//
//	amount, probe := s.Amount(view, rev)     // some nanoseconds; no lock, no allocation
//	... the execution ...
//	s.Observe(view, rev, sizing.Execution{...})
//
// What an owner asked for, MemorySize, is never changed: in the mode "apply"
// environments get the effective amount instead, in the mode "recommend" the
// owner is told. A [Policy], made of the function's tags, says which, and
// within which bounds.
//
// # How it decides
//
// [Evidence] is what was learned of one version of a function, in a bounded
// number of bytes: sketches of memory and durations that forget, the highest
// peaks of the last hours and days, what happened since the amount in force is
// in force. [Decide] makes a [Decision] of a policy, a [Standing] and evidence.
// Both know no clock and do no I/O: time is what the executions say, so that a
// decision can be repeated, tested and replayed. docs/sizing.md has the
// formulas.
//
// # How it is kept
//
// A keeper, one goroutine, decides whenever an execution was urgent or enough
// of them came, and writes down what was decided, by compare-and-swap. Every
// node, the one that decided included, learns of it by watching that bucket:
// an amount is in force only when it is durable. Evidence is written every
// [SaveEvery], and read when a version is called for the first time since the
// start; a crash loses the evidence since then, and no decision. Events for
// owners are part of the record of the decision until they were delivered.
package sizing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/state"
)

const (
	// SaveEvery is how often evidence is written down.
	SaveEvery = time.Minute
	// DefaultWindow is a good [Options.Window].
	DefaultWindow = 10 * time.Minute
	// closeFor bounds the writing at Close.
	closeFor = 10 * time.Second
)

// Rooms are what sizing works with.
type Rooms struct {
	Store   *state.Store
	Catalog *function.Catalog
}

// Options of [Open].
type Options struct {
	// Window is the least time at an amount before it is lowered.
	Window time.Duration
	// MBPerCPU is how much memory comes with one CPU; 0 is DefaultMBPerCPU.
	MBPerCPU int
	// Notify is a URL that is told of every function's events, besides what
	// their owners ask for; "" for none.
	Notify string
	// PrivateWebhooks lets owners name URLs at addresses that are not public.
	PrivateWebhooks bool
	// Invoke calls a function of the account with an event; an error is tried
	// again. nil is nobody to call.
	Invoke func(ctx context.Context, target function.Key, qualifier string, payload []byte) error
	Log    *slog.Logger
}

// Sizing sizes the functions of one Hearth. It is safe for concurrent use.
type Sizing struct {
	rooms     Rooms
	opts      Options
	decisions *state.Bucket
	evidence  *state.Bucket
	table     *table

	mu        sync.Mutex
	functions map[function.Key]*family
	orphans   []string // records of functions that are gone

	due      queue
	notices  *notifier
	life     context.Context // of the goroutines
	end      context.CancelFunc
	owned    sync.WaitGroup
	unfollow func()
}

// Open loads what was decided and starts to work; Close it before the catalog
// and the store.
func Open(ctx context.Context, rooms Rooms, o Options) (*Sizing, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Sizing{rooms: rooms, opts: o, table: newTable(), functions: map[function.Key]*family{}, due: newQueue()}
	s.notices = newNotifier(s)
	var err error
	if s.decisions, err = rooms.Store.Bucket(ctx, decisionsBucket); err != nil {
		return nil, fmt.Errorf("open sizing: %w", err)
	}
	if s.evidence, err = rooms.Store.Bucket(ctx, evidenceBucket); err != nil {
		return nil, fmt.Errorf("open sizing: %w", err)
	}
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	s.unfollow = rooms.Catalog.Changes(s.changed)
	if err := s.decisions.Watch(s.life, s.decided); err != nil {
		s.end()
		s.unfollow()
		return nil, fmt.Errorf("open sizing: %w", err)
	}
	s.owned.Go(func() { s.keep(s.life) })
	s.owned.Go(func() { s.notices.run(s.life) })
	return s, nil
}

// Close ends the goroutines and writes down what was learned.
func (s *Sizing) Close() error {
	s.unfollow()
	s.end()
	s.owned.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closeFor)
	defer cancel()
	if err := s.save(ctx); err != nil {
		return errors.Join(errors.New("some of what sizing learned was not written down"), err)
	}
	return nil
}

// Amount is what an environment of the revision is to be given for the next
// execution. probe says that this execution is to learn from another amount
// than the one in force; Observe wants to hear of it.
func (s *Sizing) Amount(_ *function.View, rev *function.Revision) (a Amount, probe bool) {
	asked := rev.Config.Memory
	e := s.table.get(rev.ID)
	if e == nil {
		return Amount{Memory: asked, CPU: asked}, false
	}
	packed := e.effective.Load()
	if p := e.probing.Load(); p != nil && p.calls.Add(1)%p.every == 0 {
		return p.amount, true
	}
	if packed == 0 {
		return Amount{Memory: asked, CPU: asked}, false
	}
	return unpack(packed), false
}

// Observe learns from an execution, after its answer was given.
func (s *Sizing) Observe(view *function.View, rev *function.Revision, e Execution) {
	at := s.table.get(rev.ID)
	if at == nil {
		if at = s.admit(view, rev); at == nil {
			return
		}
	}
	if at.observe(&e) {
		s.due.push(at)
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

func unpack(packed uint64) Amount {
	return Amount{Memory: function.MemoryMB(packed & 0xffff), CPU: function.MemoryMB(packed >> 16 & 0xffff)}
}

func (a Amount) pack() uint64 { return uint64(a.Memory) | uint64(a.CPU)<<16 }
