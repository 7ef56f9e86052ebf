package usage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/state"
)

const (
	// DefaultKeep is how long the state keeps a day's sums: a year and a month.
	DefaultKeep = 396 * 24 * time.Hour

	// foldEvery is how often the journal is folded into the state, or earlier
	// when foldAt records are in it. A fold that takes long is followed by a
	// pause ten times as long: folding takes a tenth of the time at most.
	foldEvery = 10 * time.Second
	foldAt    = slots / 4
	foldPart  = 10
	// waitFor is how long an invocation waits for a place in the journal.
	waitFor = 5 * time.Second
)

// Options say how to keep account.
type Options struct {
	// Dir holds the journal; it is made when there is none.
	Dir string
	// Keep is how long the state keeps the sums, 0 for DefaultKeep.
	Keep time.Duration
	Log  *slog.Logger
}

// Usage keeps account for one node. Record and RecordUse may be called at any
// time, also after Close: what they record then is found by the next Open.
type Usage struct {
	journal *journal
	bucket  *state.Bucket
	log     *slog.Logger
	now     func() time.Time

	cancel context.CancelFunc
	done   chan struct{} // closed when the folder has ended
	hurry  chan struct{} // of capacity 1: fold soon
	failed atomic.Bool   // the last fold
	lost   atomic.Uint64 // records

	// folding is held by whoever folds, and guards what is below.
	folding sync.Mutex
	days    map[string]*day // what this node wrote last, by key

	mu    sync.Mutex
	freed chan struct{} // closed and replaced when records were released
}

// Open opens the journal and folds into the state what a former process left.
func Open(ctx context.Context, store *state.Store, o Options) (*Usage, error) {
	if o.Keep == 0 {
		o.Keep = DefaultKeep
	}
	u := &Usage{
		log: o.Log, now: time.Now, days: map[string]*day{},
		done: make(chan struct{}), hurry: make(chan struct{}, 1), freed: make(chan struct{}),
	}
	if u.log == nil {
		u.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if u.bucket, err = store.BucketWithAge(ctx, "usage", o.Keep); err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	var left []record
	if u.journal, left, err = openJournal(filepath.Join(o.Dir, "journal")); err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	if _, err := u.add(ctx, slices.Values(left)); err != nil {
		return nil, fmt.Errorf("usage: count what was recorded before the last stop: %w", err)
	}
	if err := u.journal.start(); err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	ctx, u.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go u.run(ctx)
	return u, nil
}

// Close folds what is recorded.
func (u *Usage) Close() error {
	u.cancel()
	<-u.done
	ctx, cancel := context.WithTimeout(context.Background(), waitFor)
	defer cancel()
	return u.Fold(ctx)
}

// Record records an execution of a revision. When it returns, the record
// survives the process.
func (u *Usage) Record(rev *function.Revision, e Execution) {
	s := e.sums()
	u.record(rev, &s)
}

// RecordUse records how much memory an execution used at its peak, in bytes.
func (u *Usage) RecordUse(rev *function.Revision, peak int64, billed time.Duration) {
	u.record(rev, &Sums{Used: (peak + 1023) >> 10 * billed.Milliseconds()})
}

func (u *Usage) record(rev *function.Revision, s *Sums) {
	at, pending, ok := u.journal.reserve()
	if !ok {
		if at, ok = u.waitForRoom(); !ok {
			u.lost.Add(1)
			return
		}
	}
	if pending == foldAt {
		u.fold()
	}
	if !fits(rev.Key, rev.Version) { // no name is that long
		s = &Sums{}
		rev = &function.Revision{Version: function.Latest}
		u.lost.Add(1)
	}
	u.journal.write(at, u.now().Unix()/3600, rev.Key, rev.Version, s)
}

// fold has the folder begin.
func (u *Usage) fold() {
	select {
	case u.hurry <- struct{}{}:
	default:
	}
}

// waitForRoom waits until there is a place in the journal, for a while.
func (u *Usage) waitForRoom() (at uint64, ok bool) {
	limit := time.NewTimer(waitFor)
	defer limit.Stop()
	for {
		u.mu.Lock()
		freed := u.freed
		u.mu.Unlock()
		if at, _, ok = u.journal.reserve(); ok {
			return at, true
		}
		if u.failed.Load() {
			return 0, false // waiting is of no use
		}
		u.fold()
		select {
		case <-freed:
		case <-limit.C:
			return 0, false
		}
	}
}

// run folds until ctx ends.
func (u *Usage) run(ctx context.Context) {
	defer close(u.done)
	timer := time.NewTimer(foldEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-u.hurry:
		}
		begun := time.Now()
		if err := u.Fold(ctx); err != nil && ctx.Err() == nil {
			u.log.Warn("usage records wait in the journal; trying again", "error", err)
		}
		if lost := u.lost.Swap(0); lost > 0 {
			u.log.Error("the journal of usage records was full, and records are lost", "records", lost)
		}
		pause := foldPart * time.Since(begun)
		timer.Reset(max(foldEvery, pause))
	}
}

// Fold adds everything that is recorded to the sums in the state.
func (u *Usage) Fold(ctx context.Context) error {
	u.folding.Lock()
	defer u.folding.Unlock()
	first := u.journal.first.Load()
	end, err := u.add(ctx, u.journal.complete())
	u.failed.Store(err != nil)
	if err != nil || end == 0 {
		return err
	}
	u.journal.release(end)
	u.mu.Lock()
	close(u.freed)
	u.freed = make(chan struct{})
	u.mu.Unlock()
	u.journal.touch(2 * (end - first))
	return nil
}

// errTornSums says that a value is not what add writes.
var errTornSums = errors.New("the sums can't be read")
