package sizing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/state"
)

const (
	// trialFor is how long a trial may last; then another one begins, so that
	// shares of failures are of what happened lately.
	trialFor = 7 * 24 * time.Hour
	// worthTelling is by how much a recommendation must differ from the last
	// one to be another one.
	worthTelling = 0.1
	// failuresTold is how many deaths in one trial are repeated failure, and
	// failureEvery how often that is told.
	failuresTold = 3
	failureEvery = 24 * time.Hour
)

// queue are the series to decide about, each once.
type queue struct {
	mu   *sync.Mutex
	list *[]*series
	some chan struct{}
}

func newQueue() queue {
	return queue{mu: new(sync.Mutex), list: new([]*series), some: make(chan struct{}, 1)}
}

func (q *queue) push(at *series) {
	q.mu.Lock()
	*q.list = append(*q.list, at)
	q.mu.Unlock()
	select {
	case q.some <- struct{}{}:
	default: // it is known already
	}
}

func (q *queue) take() []*series {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := *q.list
	*q.list = nil
	return list
}

// keep decides and saves until ctx ends.
func (s *Sizing) keep(ctx context.Context) {
	tick := time.NewTicker(SaveEvery)
	defer tick.Stop()
	s.bury(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.bury(ctx)
			if err := s.save(ctx); err != nil && ctx.Err() == nil {
				s.opts.Log.Warn("sizing could not write down what it learned; trying again later", "error", err)
			}
		case <-s.due.some:
			for _, at := range s.due.take() {
				at.queued.Store(false)
				if err := s.consider(ctx, at); err != nil && ctx.Err() == nil {
					s.opts.Log.Warn("sizing could not decide; the next execution tries again", "function", at.function.Name, "version", at.version, "error", err)
				}
			}
		}
	}
}

// bury removes the records of functions that are gone.
func (s *Sizing) bury(ctx context.Context) {
	s.mu.Lock()
	orphans := s.orphans
	s.orphans = nil
	s.mu.Unlock()
	for _, key := range orphans {
		if err := s.remove(ctx, key); err != nil && ctx.Err() == nil {
			s.opts.Log.Warn("a record of a deleted function remains until the next start", "key", key, "error", err)
		}
	}
}

// consider decides about a version and writes the outcome down, if there is
// one. What is in force changes when the record comes back by the watch.
func (s *Sizing) consider(ctx context.Context, at *series) error {
	if err := s.load(ctx, at); err != nil {
		return err
	}
	at.mu.Lock()
	at.count = 0
	if at.policy.Value().Mode == Off || at.evidence == nil || at.evidence.last.IsZero() {
		at.mu.Unlock()
		return nil
	}
	if v := at.evidence; v.last.Sub(v.trial.Since) > trialFor {
		v.Begin(v.last)
	}
	p, standing, now := at.policy.Value(), at.stands(), at.evidence.last
	d := Decide(p, standing, at.evidence, now)
	trial, revision, before := at.evidence.trial, at.revision, at.inForceLocked()
	inherits := at.inherits
	inheriting := p.Mode == Apply && inherits != (Amount{}) && at.asked == p.Asked && at.standing.Amount == inherits
	recommended := Amount{} // as the record has it, as far as is known here
	if at.asked == p.Asked {
		recommended = at.recommended
	}
	at.probe(&d)
	at.mu.Unlock()

	next := standing
	moved := p.Mode == Apply && next.Take(&d, now)
	if !moved && trial.Killed < failuresTold && !worth(recommended, d.Recommended, before) {
		return nil // nearly always: a busy function is decided about many times a second
	}
	return s.change(ctx, at.key, func(r *record) bool {
		fresh := r.Asked != p.Asked
		if fresh {
			*r = record{Pending: r.Pending, History: r.History}
		} else if p.Mode == Apply && r.Standing.Amount != standing.Amount && !inheriting {
			return false // another node was faster; its word is on its way here
		}
		r.Function, r.Version, r.Asked = at.function, at.version, p.Asked
		changed := false
		if moved {
			r.Standing = next
			r.adjusted(Adjustment{At: now, FromMB: before.Memory, ToMB: d.Amount.Memory, Cause: d.Cause, Reason: d.Reason, Revision: revision})
			r.tell(s, p, EventAdjustment, &d, before, now)
			changed = true
		}
		if worth(r.Recommended, d.Recommended, before) {
			changed = true
			if p.Mode == Recommend && d.Recommended.Memory != before.Memory {
				r.tell(s, p, EventRecommendation, &d, before, now)
			}
		}
		if trial.Killed >= failuresTold && now.Sub(r.Failed) > failureEvery {
			r.Failed, changed = now, true
			r.tell(s, p, EventFailures, &d, before, now)
		}
		if !changed {
			return false
		}
		r.Recommended, r.Cause, r.Reason, r.At = d.Recommended, d.Cause, d.Reason, now
		return true
	})
}

// worth says whether a recommendation is another one than the last.
func worth(last, next, inForce Amount) bool {
	if last == (Amount{}) {
		return next != inForce
	}
	return math.Abs(float64(next.Memory-last.Memory)) > worthTelling*float64(last.Memory)
}

func (r *record) adjusted(a Adjustment) {
	r.History = append(r.History, a)
	r.History = r.History[max(0, len(r.History)-historyKept):]
}

// probe lets a share of the executions run at another amount, where the owner
// allows it and the curve lacks it. at.mu is held.
func (at *series) probe(d *Decision) {
	p := at.policy.Value()
	if p.Mode != Apply || p.Probe == 0 || p.Goal.Aim == Speed || at.evidence.executions < uint64(p.Threshold) {
		at.probing.Store(nil)
		return
	}
	now := at.inForceLocked()
	least := p.clip(roundUp(d.Need.MB))
	for _, factor := range []float64{0.7, 1.4, 2} {
		candidate := p.amount(min(max(roundUp(factor*float64(now.Memory)), least), p.Max))
		if candidate == now || at.evidence.measured(candidate.CPU) {
			continue
		}
		every := uint32(math.Ceil(1 / p.Probe))
		if old := at.probing.Load(); old == nil || old.amount != candidate || old.every != every {
			at.probing.Store(&probing{amount: candidate, every: every})
		}
		return
	}
	at.probing.Store(nil)
}

// measured reports whether enough executions ran with that CPU, or nearly.
func (v *Evidence) measured(cpu function.MemoryMB) bool {
	var n float64
	for i := range v.loads {
		n += v.loads[i].n
	}
	for i := range v.loads {
		l := &v.loads[i]
		if l.n > 0 && math.Abs(float64(l.cpu-cpu)) <= 0.1*float64(cpu) && l.n/n*float64(v.executions) >= measuredLeast {
			return true
		}
	}
	return false
}

// load reads what is stored of a version that was not called before since the
// start, and adds it to what was seen meanwhile.
func (s *Sizing) load(ctx context.Context, at *series) error {
	at.mu.Lock()
	loaded := at.loaded
	at.mu.Unlock()
	if loaded {
		return nil
	}
	e, err := s.evidence.Get(ctx, at.key)
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return err
	}
	at.mu.Lock()
	defer at.mu.Unlock()
	at.loaded = true
	if err != nil {
		return nil // nothing is stored
	}
	old, runs, err := decode(e.Value)
	if err != nil {
		// Nothing that Hearth wrote; it is replaced by what is learned from now on.
		s.opts.Log.Warn("sizing found evidence that it cannot read", "function", at.function.Name, "error", err)
		return nil
	}
	if runs != at.release {
		old.Succeed(at.policy.Value().Quantile)
	}
	if at.evidence == nil {
		at.evidence = NewEvidence()
	}
	at.evidence.Merge(old)
	return nil
}

// save writes down the evidence that is newer than what is stored.
func (s *Sizing) save(ctx context.Context) error {
	s.mu.Lock()
	var all []*series
	for _, f := range s.functions {
		all = append(all, f.series...)
	}
	s.mu.Unlock()
	var failed error
	for _, at := range all {
		if err := s.saveOne(ctx, at); err != nil {
			failed = fmt.Errorf("%s: %w", at.function.Name, err)
			if ctx.Err() != nil {
				break
			}
		}
	}
	return failed
}

func (s *Sizing) saveOne(ctx context.Context, at *series) error {
	at.mu.Lock()
	unsaved := at.unsaved
	at.mu.Unlock()
	if !unsaved {
		return nil
	}
	if err := s.load(ctx, at); err != nil { // or what is stored would be lost
		return err
	}
	at.mu.Lock()
	value, err := at.evidence.encode(at.release)
	at.unsaved = false
	at.mu.Unlock()
	if err != nil {
		return err
	}
	if _, err := s.evidence.Put(ctx, at.key, value); err != nil {
		at.mu.Lock()
		at.unsaved = true
		at.mu.Unlock()
		return err
	}
	return nil
}

// decided is what the watch calls with every record, at the start and later.
func (s *Sizing) decided(e state.Entry) {
	if e.Deleted {
		return
	}
	var r record
	if err := json.Unmarshal(e.Value, &r); err != nil {
		s.opts.Log.Error("unreadable record of sizing", "key", e.Key, "error", err)
		return
	}
	view, ok := s.rooms.Catalog.Lookup(r.Function)
	if !ok || recordKey(view.FunctionID, r.Version) != e.Key || r.Version != function.Latest && view.Versions[r.Version] == nil {
		s.mu.Lock()
		s.orphans = append(s.orphans, e.Key)
		s.mu.Unlock()
		return
	}
	s.mu.Lock()
	at := s.seriesLocked(r.Function, view.FunctionID, r.Version)
	s.stand(view, at, &r)
	s.mu.Unlock()
	if len(r.Pending) > 0 {
		s.notices.pending(e.Key)
	}
}

// stand makes a record what stands. s.mu is held.
func (s *Sizing) stand(view *function.View, at *series, r *record) {
	rev := view.Serving
	if rev == nil {
		rev = view.Wanted
	}
	if at.version != function.Latest {
		rev = &view.Versions[at.version].Revision
	}
	at.adopt(rev, s.policy(view, rev))
	at.mu.Lock()
	moved := at.standing.Amount != r.Standing.Amount || at.asked != r.Asked && at.asked != 0
	at.standing, at.asked, at.recommended, at.inherits = r.Standing, r.Asked, r.Recommended, Amount{}
	if moved && at.evidence != nil {
		at.evidence.Begin(at.evidence.last)
		at.unsaved = true
	}
	at.enforceLocked()
	at.mu.Unlock()
	s.table.put(rev.ID, at)
}
