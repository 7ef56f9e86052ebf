package worker

import (
	"time"

	"github.com/hearthd/hearth/internal/pool"
)

// What stands by: pre-booted environments in the instances of the active pool, so
// that the next deployment, or the next cold start beside those that are at work,
// only puts the code in.

const (
	// standByEvery is how often the instances are looked at, as soon as the machine
	// is not saturated; one environment at most is booted each time.
	standByEvery = time.Second
	// atWorkFor is how long ago an environment was used at most that counts as at
	// work.
	atWorkFor = 2 * loadWindow
	// standByAgain is how long nothing is booted to stand by after something had
	// to give way, or failed to boot.
	standByAgain = time.Minute
)

// standing is where environments of a runtime stand by.
type standing struct {
	instance *pool.Instance
	runtime  string
}

// standBy keeps as many environments pre-booted in each instance as are at work
// there, up to as many as an instance of the warming pool has, until Close. They
// are booted one after the other, behind everything else, and not while the
// machine is saturated or a deployment is under way.
func (m *Manager) standBy() {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	var looked time.Time
	for {
		select {
		case <-m.ctx.Done():
			return
		case now := <-tick.C:
			if m.preparing.Load() > 0 {
				looked = now // the switch to come is disturbed enough
			}
			if now.Sub(looked) < standByEvery || m.saturated.Load() {
				continue
			}
			looked = now
			if gave := m.gaveUp.Load(); gave == nil || now.Sub(*gave) >= standByAgain {
				m.bootToStandBy(m.standings(now))
			}
		}
	}
}

// standings says how many are to stand by where: for each environment at work one
// that could take its place, where there is room for that.
func (m *Manager) standings(now time.Time) map[standing]int {
	wants := map[standing]int{}
	most := m.rooms.Pool.PerInstance()
	m.sets.Range(func(_, v any) bool {
		s := v.(*set)
		at := s.atWork(now.Add(-atWorkFor))
		if len(at) == 0 {
			return true
		}
		rt, _, err := m.rooms.Runtimes.For(s.revision.Config.Runtime)
		if err != nil {
			return true // nothing more of it can be booted
		}
		memory := int(m.amountOf(s.revision).Memory)
		for i, n := range besideWork(at, func(i *pool.Instance) int { return i.Fits(memory, m.opts.Overlap) }) {
			where := standing{i, rt.Name}
			wants[where] = min(most, wants[where]+n)
		}
		return true
	})
	return wants
}

// besideWork places one environment for each of those at work: in the same
// instance, or in another of them where that has no room.
func besideWork(at map[*pool.Instance]int, room func(*pool.Instance) int) map[*pool.Instance]int {
	places, rooms, left := make(map[*pool.Instance]int, len(at)), make(map[*pool.Instance]int, len(at)), 0
	for i, n := range at {
		rooms[i] = room(i)
		places[i] = min(n, rooms[i])
		left += n - places[i]
	}
	for i := range at {
		more := min(left, rooms[i]-places[i])
		places[i] += more
		left -= more
	}
	return places
}

// bootToStandBy boots one environment where most are lacking.
func (m *Manager) bootToStandBy(wants map[standing]int) {
	var where standing
	lack := 0
	for w, n := range wants {
		if l := n - w.instance.CountReady(w.runtime); l > lack {
			where, lack = w, l
		}
	}
	if lack == 0 {
		return
	}
	if err := m.rooms.Pool.BootInto(m.ctx, where.instance, where.runtime, m.opts.Overlap); err != nil && m.ctx.Err() == nil {
		m.opts.Log.Info("nothing is pre-booted beside what is at work", "instance", where.instance.ID(), "error", err)
		m.noteGaveUp()
		m.memoryFreed(where.instance) // perhaps it was the last that held the instance
	}
}

// endOldReady ends pre-booted environments that nobody used for long and that
// nothing at work wants to stand by: those, mostly, that an account got together
// with its instance.
func (m *Manager) endOldReady(now time.Time) {
	var wants map[standing]int // asked for when it matters
	for _, i := range m.Instances() {
		for _, r := range i.Ready() {
			if now.Sub(r.Booted) < m.opts.IdleFor {
				continue
			}
			if wants == nil {
				wants = m.standings(now)
			}
			if i.CountReady(r.Runtime) > wants[standing{i, r.Runtime}] && i.Take(r) {
				m.discardReady(r)
			}
		}
	}
}

// giveUpReady ends a pre-booted environment of an instance to make room, if there
// is one: it is quicker to make again than any that holds a function.
func (m *Manager) giveUpReady(i *pool.Instance) bool {
	r := i.TakeAny()
	if r == nil {
		return false
	}
	m.noteGaveUp()
	m.discardReady(r)
	return true
}

// makeRoom ends something pre-booted that is in the way of an environment that
// needs mb MiB more: in its instance, or in the warming pool where it is the node
// that is full. It is false when there is nothing.
func (m *Manager) makeRoom(i *pool.Instance, mb int) bool {
	return m.giveUpReady(i) || i.Fits(mb, 1) > 0 && m.rooms.Pool.Shrink()
}

// giveUpAnyReady is giveUpReady for whichever instance has one.
func (m *Manager) giveUpAnyReady() bool {
	for _, i := range m.Instances() {
		if m.giveUpReady(i) {
			return true
		}
	}
	return false
}

func (m *Manager) noteGaveUp() {
	now := time.Now()
	m.gaveUp.Store(&now)
}

// discardReady ends a pre-booted environment that was taken out of an active
// instance.
func (m *Manager) discardReady(r *pool.Ready) {
	if err := r.Discard(); err != nil {
		m.opts.Log.Warn("cannot remove a pre-booted environment", "environment", r.ID(), "error", err)
	}
	m.memoryFreed(r.Instance)
}

// atWork counts, by instance, the environments that were used since a time. It is
// empty when requests no longer go to the revision.
func (s *set) atWork(since time.Time) map[*pool.Instance]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.left.IsZero() {
		return nil
	}
	at := map[*pool.Instance]int{}
	for e := range s.all {
		at[e.instance]++
	}
	for _, e := range s.idle {
		if e.idleSince.Before(since) {
			at[e.instance]--
		}
	}
	return at
}
