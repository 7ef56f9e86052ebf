package worker

import (
	"sync"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/runtimes"
)

const (
	// preparing provisioned environments of a revision boot at the same time.
	preparing = 4
	// keepEvery is how often provisioned environments are counted, besides
	// when something says that one may be missing.
	keepEvery = time.Second
	// keepRetry is the pause after a boot that failed; it doubles up to
	// keepRetryMost.
	keepRetry     = time.Second
	keepRetryMost = time.Minute
)

// Kept is how many environments of a revision are to be there always.
type Kept struct {
	Revision *function.Revision
	N        int
}

// Provision is how far that is.
type Provision struct {
	// Alive is how many of them there are, initialised, idle or busy.
	Alive int
	// Failure says why the last one that was tried did not come to be; "" once
	// one did.
	Failure string
}

// keeper keeps environments that owners pay for to have them: provisioned
// concurrency. They are not ended for age or want of memory, and replaced when
// they end. What is to be kept is told anew by deploy after every start.
type keeper struct {
	wake chan struct{} // capacity 1: something may be missing; never closed

	mu    sync.Mutex
	wants map[string]*want          // by revision ID
	owned map[function.Key][]string // the revisions that a function has wants for
	news  chan struct{}             // closed and replaced whenever a boot ended or wants changed
}

// want is a Kept that is being kept.
type want struct {
	Kept
	coming   int // boots under way
	failures int // in a row
	failure  string
	retry    time.Time // no boot before
}

func newKeeper() *keeper {
	return &keeper{
		wake: make(chan struct{}, 1), wants: map[string]*want{}, owned: map[function.Key][]string{}, news: make(chan struct{}),
	}
}

// Keep says which environments of a function are to be there always, all of
// them; none takes the function off the list. Those that need not be kept any
// more are environments like others from then on.
func (m *Manager) Keep(key function.Key, kept []Kept) {
	k := m.keeper
	k.mu.Lock()
	if len(kept) == 0 && len(k.owned[key]) == 0 {
		k.mu.Unlock()
		return
	}
	before := k.owned[key]
	wants := make(map[string]*want, len(kept))
	delete(k.owned, key)
	for _, n := range kept {
		w := k.wants[n.Revision.ID]
		if w == nil {
			w = &want{}
		}
		if n.N > w.N { // asked for more: not later than now
			w.failures, w.failure, w.retry = 0, "", time.Time{}
		}
		w.Kept = n
		wants[n.Revision.ID] = w
		k.owned[key] = append(k.owned[key], n.Revision.ID)
	}
	for _, id := range before {
		delete(k.wants, id)
	}
	for id, w := range wants {
		k.wants[id] = w
	}
	k.changedLocked()
	k.mu.Unlock()
	for _, id := range before {
		if wants[id] == nil {
			m.loosen(id, 0)
		}
	}
	k.nudge()
}

// Provisioned tells how far the keeping of a revision's environments is.
func (m *Manager) Provisioned(revisionID string) Provision {
	p := Provision{Alive: len(m.keptOf(revisionID))}
	m.keeper.mu.Lock()
	defer m.keeper.mu.Unlock()
	if w := m.keeper.wants[revisionID]; w != nil {
		p.Failure = w.failure
	}
	return p
}

// ProvisionNews is closed when what [Manager.Provisioned] says may have changed
// since the call.
func (m *Manager) ProvisionNews() <-chan struct{} {
	m.keeper.mu.Lock()
	defer m.keeper.mu.Unlock()
	return m.keeper.news
}

// keep boots what is missing, until Close.
func (m *Manager) keep() {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-tick.C:
		case <-m.keeper.wake:
		}
		m.keepAll(time.Now())
	}
}

func (m *Manager) keepAll(now time.Time) {
	for id, w := range m.keeper.snapshot() {
		alive := len(m.keptOf(id))
		if alive > w.N {
			m.loosen(id, w.N)
		}
		for range m.keeper.missing(id, alive, now) {
			if !m.spawn(func() { m.bootKept(w.Revision) }) {
				return
			}
		}
	}
}

// bootKept boots one environment to be kept.
func (m *Manager) bootKept(rev *function.Revision) {
	s := m.set(rev)
	s.expect()
	e, err := m.prepare(m.ctx, s, order{by: runtimes.ProvisionedInit})
	if err != nil {
		if _, again := s.failed(err, 0); again {
			m.startBoot(s)
		}
	} else if e.kept.Store(true); !s.arrived(e, time.Now()) {
		e.Discard()
	}
	wanted, pause := m.keeper.booted(rev.ID, err, time.Now())
	switch {
	case err == nil && !wanted: // given up meanwhile
		e.kept.Store(false)
	case err != nil && wanted && m.ctx.Err() == nil:
		m.opts.Log.Warn("an environment of provisioned concurrency did not start; trying again", "function", rev.Name, "account", rev.Account, "version", rev.Version, "after", pause, "error", err)
	}
}

// booted ends a boot that was counted as coming, well or with an error. It
// returns whether the revision's environments are still to be kept, and how
// long it is until the next try.
func (k *keeper) booted(id string, err error, now time.Time) (wanted bool, pause time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.changedLocked()
	w := k.wants[id]
	if w == nil {
		return false, 0
	}
	w.coming = max(0, w.coming-1)
	if err == nil {
		w.failures, w.failure, w.retry = 0, "", time.Time{}
		return true, 0
	}
	pause = min(keepRetryMost, keepRetry<<min(w.failures, 10))
	w.failures, w.failure, w.retry = w.failures+1, err.Error(), now.Add(pause)
	return true, pause
}

// snapshot copies the wants.
func (k *keeper) snapshot() map[string]Kept {
	k.mu.Lock()
	defer k.mu.Unlock()
	wants := make(map[string]Kept, len(k.wants))
	for id, w := range k.wants {
		wants[id] = w.Kept
	}
	return wants
}

// missing counts as coming, and returns, how many boots to begin now.
func (k *keeper) missing(id string, alive int, now time.Time) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.wants[id]
	if w == nil || now.Before(w.retry) {
		return 0
	}
	most := preparing
	if w.failures > 0 {
		most = 1 // one to find out whether it works again
	}
	n := max(0, min(w.N-alive-w.coming, most-w.coming))
	w.coming += n
	return n
}

func (k *keeper) changedLocked() {
	close(k.news)
	k.news = make(chan struct{})
}

// nudge makes the keeper count.
func (k *keeper) nudge() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// keptOf lists the environments of a revision that are kept and have not ended.
func (m *Manager) keptOf(revisionID string) []*Environment {
	v, ok := m.sets.Load(revisionID)
	if !ok {
		return nil
	}
	var kept []*Environment
	for _, e := range v.(*set).members() {
		if e.kept.Load() && e.ctx.Err() == nil {
			kept = append(kept, e)
		}
	}
	return kept
}

// loosen makes ordinary environments of those that are kept beyond n.
func (m *Manager) loosen(revisionID string, n int) {
	kept := m.keptOf(revisionID)
	for _, e := range kept[min(n, len(kept)):] {
		e.kept.Store(false)
	}
}
