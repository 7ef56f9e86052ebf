package worker

import (
	"cmp"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hearthd/hearth/internal/pool"
	"github.com/hearthd/hearth/internal/runtimes"
)

const (
	// tendEvery is how often idle environments are looked at.
	tendEvery = 50 * time.Millisecond
	// pressureEvery is how often the machine's memory is looked at; with less
	// than a pressureShare-th of it available, idle environments are ended,
	// pressureStep MiB's worth at a time.
	pressureEvery = time.Second
	pressureShare = 20
	pressureStep  = 512
	// An environment that has run hotFrom invocations and was used within the
	// last hotFor will be used again at once: it is given up only by what has
	// waited for so long. Else two functions that keep a full node busy would
	// end each other's environments, and do nothing but boot.
	hotFrom = 8
	hotFor  = 100 * time.Millisecond
)

// clock is the running value of the Greedy-Dual-Size-Frequency policy: the
// worth of the environment that was ended last for want of memory. What was
// used since is worth more than what was not, whatever it costs.
type clock struct{ bits atomic.Uint64 }

func (c *clock) now() float64 { return math.Float64frombits(c.bits.Load()) }

// advance moves the clock to t; it never goes back.
func (c *clock) advance(t float64) {
	for {
		old := c.bits.Load()
		if math.Float64frombits(old) >= t || c.bits.CompareAndSwap(old, math.Float64bits(t)) {
			return
		}
	}
}

// appraise sets what an environment is worth keeping: the running value, plus
// how often it is used times what it costs to make again, for each MiB it
// holds. The caller holds the environment.
func (m *Manager) appraise(e *Environment) {
	e.worth = m.worth.now() + float64(e.invocations.Load())*e.init.Seconds()/float64(e.memory())
}

// evict ends idle environments, the least valuable first, until mb MiB are on
// their way back; false when it found none. waited is how long they have been
// needed.
func (m *Manager) evict(mb int, waited time.Duration) bool {
	var idle []*Environment
	m.sets.Range(func(_, v any) bool {
		idle = append(idle, v.(*set).resting()...)
		return true
	})
	hot := time.Now().Add(waited - hotFor)
	idle = slices.DeleteFunc(idle, func(e *Environment) bool { return e.kept.Load() || e.hot(hot) })
	worth := map[*Environment]float64{} // a copy: an environment may be taken meanwhile
	for _, e := range idle {
		worth[e] = e.idleWorth()
	}
	slices.SortFunc(idle, func(a, b *Environment) int { return cmp.Compare(worth[a], worth[b]) })
	found := false
	for _, e := range idle {
		if mb <= 0 {
			break
		}
		if !e.end() {
			continue
		}
		found = true
		mb -= e.memory()
		m.worth.advance(worth[e])
	}
	return found
}

// hot tells whether the environment is used again and again, and was since a
// time. What requests no longer go to is not.
func (e *Environment) hot(since time.Time) bool {
	if e.invocations.Load() < hotFrom {
		return false
	}
	e.set.mu.Lock()
	defer e.set.mu.Unlock()
	return e.set.left.IsZero() && e.idleSince.After(since)
}

// idleWorth reads worth under the lock that guards it while e is idle. What
// requests no longer go to is worth nothing.
func (e *Environment) idleWorth() float64 {
	e.set.mu.Lock()
	defer e.set.mu.Unlock()
	if !e.set.left.IsZero() {
		return 0
	}
	return e.worth
}

// end discards the environment if it is idle at this moment.
func (e *Environment) end() bool {
	if !e.set.remove(e) {
		return false
	}
	e.Discard()
	return true
}

// freedSignal returns a channel that is closed when memory is given back.
func (m *Manager) freedSignal() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.freed
}

// memoryFreed wakes those who wait for room and forgets the instance if that
// was its last environment.
func (m *Manager) memoryFreed(i *pool.Instance) {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.freed)
	m.freed = make(chan struct{})
	if !i.Gone() {
		return
	}
	owner := i.Account()
	m.active[owner] = slices.DeleteFunc(m.active[owner], (*pool.Instance).Gone)
	if len(m.active[owner]) == 0 {
		delete(m.active, owner)
	}
}

// tend freezes what has been idle for a while and ends what has been idle for
// long, or stands in the way of others, until Close.
func (m *Manager) tend() {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	pressure := time.NewTicker(pressureEvery)
	defer pressure.Stop()
	short := idleness{window: saturatedWindow, share: saturatedRest}
	long := idleness{window: occupiedWindow, share: occupiedRest}
	for {
		select {
		case <-m.ctx.Done():
			return
		case now := <-tick.C:
			m.saturated.Store(short.exhausted(now))
			occupied := long.exhausted(now)
			m.occupied.Store(occupied)
			m.rooms.Pool.Occupied(occupied)
			m.sets.Range(func(id, v any) bool {
				m.tendSet(v.(*set), now)
				if v.(*set).retireEmpty() {
					m.sets.CompareAndDelete(id, v)
				}
				return m.ctx.Err() == nil
			})
		case <-pressure.C:
			m.relieve()
			m.endOldReady(time.Now())
			m.refit()
		}
	}
}

func (m *Manager) tendSet(s *set, now time.Time) {
	s.turn(now)
	if s.grow(now) {
		m.startBootOf(s, order{by: runtimes.OnDemandInit, spare: true})
	}
	for _, e := range s.resting() {
		s.mu.Lock()
		idle, frozen, limit := now.Sub(e.idleSince), e.frozen.Load(), s.keepFor(e, m.opts.IdleFor)
		s.mu.Unlock()
		switch {
		case idle >= limit && !e.kept.Load():
			e.end()
		case idle >= m.opts.FreezeAfter && !frozen:
			e.freeze()
		}
	}
}

// freeze stops an idle environment's processes. A request that comes meanwhile
// waits for it and does not boot another.
func (e *Environment) freeze() {
	if !e.set.rest(e) {
		return
	}
	err := e.box.Freeze()
	e.frozen.Store(true) // also after an error: a thaw does no harm
	if !e.set.rested(e) || err != nil {
		e.Discard()
	}
}

// relieve ends idle environments when other programs of this machine need the
// memory: what a node promised may be less than what is there now.
func (m *Manager) relieve() {
	total, available, err := pool.MachineMemory()
	if err != nil || available > total/pressureShare {
		return
	}
	if m.giveUpAnyReady() || m.evict(pressureStep, hotFor) || m.rooms.Pool.Shrink() {
		m.opts.Log.Warn("the machine is short of memory; ending idle environments", "availableMB", available)
	}
}
