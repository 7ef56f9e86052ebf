package worker

import (
	"slices"
	"sync"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

// set is the environments of one revision. Invariants, under mu:
//
//   - an environment is in idle, or with the one who acquired it, or in a
//     background step (booting, freezing, settling) that counts in coming;
//   - whoever waits has somebody who will give back, or something on its way.
//     Others wait beside idle environments only while the set is crowded, or
//     where they will be served at once while those are for who comes next, and
//     never when they are resigned;
//   - after retire, nothing is put into idle any more.
type set struct {
	revision *function.Revision

	mu         sync.Mutex
	idle       []*Environment // the last one used is at the end, and used first
	waiting    []*waiter      // oldest first
	coming     int            // environments in a background step,
	ahead      int            // those among them that Prepare makes
	given      uint64         // how many were given to waiters
	pace       pace
	all        map[*Environment]struct{}
	keeps      bool      // some are or were kept as provisioned concurrency
	busy       busyness  // of environments in use and waited for
	left       time.Time // when requests stopped going to the revision; zero while they do
	retired    bool
	congestion congestion
}

// waiter is a request that waits. ch has capacity 1; the one who takes the
// waiter out of the list sends to it.
type waiter struct {
	ch     chan handover
	amount Amount // that the request needs
	since  time.Time

	given    uint64 // by the set when it looked last
	stuck    int    // how often it has looked in vain
	resigned bool   // it looks no more, and waits for what is being booted
}

type handover struct {
	env *Environment
	err error
}

// take returns an idle environment; or nil and a place in the queue, and
// whether an environment should be booted for it. Both are nil when the set is
// retired: there may be a new one for the revision.
//
// On a machine that is saturated, those who ask also queue beside idle
// environments when enough are at work and somebody will be done in a moment.
func (s *set) take(amount Amount, saturated bool) (e *Environment, w *waiter, boot bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	busy := len(s.all) - len(s.idle)
	crowded := saturated && busy >= s.pace.enough() && s.pace.serves(len(s.waiting)+1, busy, Patience)
	if len(s.idle) > 0 && !crowded {
		e = s.pickLocked(amount)
		s.busy.note(busy + 1)
		return e, nil, false
	}
	if s.retired {
		return nil, nil, false
	}
	w = &waiter{ch: make(chan handover, 1), amount: amount, since: time.Now(), given: s.given}
	s.waiting = append(s.waiting, w)
	s.busy.note(busy + len(s.waiting))
	hopeful := s.hopefulLocked(len(s.waiting), saturated) || s.pace.averages(len(s.waiting), busy)
	boot = !hopeful && s.lacksLocked()
	return nil, w, boot
}

// pickLocked takes the best idle environment for an amount; there is one.
func (s *set) pickLocked(amount Amount) *Environment {
	at := s.best(amount)
	e := s.idle[at]
	s.idle = slices.Delete(s.idle, at, at+1)
	return e
}

// best is the idle environment for an amount, by its place: the one used last
// of those that have it, or else the one used last. Only the last few are
// looked at. One that is kept comes first, as in Lambda: others are for what
// goes beyond provisioned concurrency.
func (s *set) best(amount Amount) int {
	const few = 8
	last := len(s.idle) - 1
	if s.keeps {
		for at := last; at >= 0; at-- {
			if s.idle[at].kept.Load() {
				return at
			}
		}
	}
	for at := last; at >= 0 && at > last-few; at-- {
		if s.idle[at].Amount().Memory == amount.Memory {
			return at
		}
	}
	return last
}

// needs is the amount to boot an environment with: the most that a request
// waits for, or the usual one when none does.
func (s *set) needs(usual Amount) Amount {
	s.mu.Lock()
	defer s.mu.Unlock()
	var most Amount
	for _, w := range s.waiting {
		if w.amount.Memory > most.Memory {
			most = w.amount
		}
	}
	if most.Memory == 0 {
		return usual
	}
	return most
}

// insist is for a waiter whose patience has ended. It gets an idle environment
// if there is one; or it has to have patience again, since others go on being
// quick, or would on a machine with less to do; or else it is resigned to wait
// for one that is booted, and insist tells whether that is to be one more.
func (s *set) insist(w *waiter, now time.Time, saturated, occupied bool) (boot, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.waiting, w)
	if w.stuck++; w.given != s.given {
		w.given, w.stuck = s.given, 0
	}
	switch {
	case at < 0: // it was served
		return false, false
	case len(s.idle) > 0:
		s.serveLocked(at)
		return false, false
	case now.Sub(w.since) >= longestPatience:
	case (w.stuck < stuckFor || saturated || occupied) && s.hopefulLocked(at+1, saturated),
		occupied && s.pace.averages(at+1, len(s.all)):
		return false, true
	}
	w.resigned = true
	return s.lacksLocked(), false
}

// hopefulLocked tells whether to have patience is better than to boot, for the
// n-th of those who wait: its turn comes soon, or there are as many environments
// already as a saturated machine can put to work.
func (s *set) hopefulLocked(n int, saturated bool) bool {
	busy := len(s.all) - len(s.idle)
	return s.pace.serves(n, busy, soonEnough) || saturated && busy >= s.pace.enough()
}

// abandon takes a waiter out of the queue. It is false when it was already
// served: then there is something in its channel.
func (s *set) abandon(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.waiting, w)
	if i < 0 {
		return false
	}
	s.callLocked(i)
	return true
}

// callLocked takes a waiter out of the queue, by its place.
func (s *set) callLocked(at int) *waiter {
	w := s.waiting[at]
	s.waiting = slices.Delete(s.waiting, at, at+1)
	return w
}

// serveLocked gives a waiter, by its place, the best idle environment; there is one.
func (s *set) serveLocked(at int) {
	w := s.callLocked(at)
	w.ch <- handover{env: s.pickLocked(w.amount)}
}

// giveLocked gives a waiter, by its place, an environment that was not idle.
func (s *set) giveLocked(at int, e *Environment) {
	s.callLocked(at).ch <- handover{env: e}
	s.given++
}

// putLocked gives an environment to the oldest waiter or makes it idle; it is
// false when the set no longer wants it.
func (s *set) putLocked(e *Environment, now time.Time) bool {
	if len(s.waiting) > 0 {
		s.giveLocked(0, e)
		return true
	}
	if s.retired {
		return false
	}
	s.idleLocked(e, now)
	return true
}

func (s *set) idleLocked(e *Environment, now time.Time) {
	e.idleSince = now
	s.idle = append(s.idle, e)
}

// expect counts an environment that is booted although nobody waits for it yet.
func (s *set) expect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.coming++
}

// expectUpTo is expect unless there are enough, with those that are being made
// ahead; has is how many. It is not ok when the set is retired. Requests go to
// the revision, or will soon.
func (s *set) expectUpTo(a Ahead) (has int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired {
		return 0, false
	}
	s.left = time.Time{}
	s.busy.note(a.Busy)
	if s.pace.typical == 0 {
		s.pace = a.pace
	}
	has = len(s.all) + s.ahead
	if has < a.Environments {
		s.coming++
		s.ahead++
	}
	return has, true
}

func (s *set) paceNow() pace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pace
}

// leave notes that requests no longer go to the revision.
func (s *set) leave(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left.IsZero() {
		s.left = now
	}
}

// turn begins a new window of the count of busy environments when it is time.
func (s *set) turn(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy.turn(now, len(s.all)-len(s.idle)+len(s.waiting)) {
		s.pace.turn()
	}
}

// keepFor is how long an idle environment is kept: less when requests
// left before it, or just after, was used last.
func (s *set) keepFor(e *Environment, usual time.Duration) time.Duration {
	if !s.left.IsZero() && e.idleSince.Before(s.left.Add(lingerFor)) {
		return min(lingerFor, usual)
	}
	return usual
}

// settle counts an environment as about to be given back, after an invocation
// of that duration.
func (s *set) settle(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.coming++
	s.pace.took(took)
}

// settled gives an environment back.
func (s *set) settled(e *Environment, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.coming--
	s.pace.cost(e.work)
	held := now.Sub(e.taken)
	s.pace.held(held)
	s.congestion.held += held
	e.taken = time.Time{}
	if len(s.waiting) > 0 {
		e.taken = now
	}
	return s.putLocked(e, now)
}

// arrived ends a boot well: the environment is the set's.
func (s *set) arrived(e *Environment, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrivedLocked(e, now)
}

// arrivedAhead is arrived for what expectUpTo counted.
func (s *set) arrivedAhead(e *Environment, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead--
	return s.arrivedLocked(e, now)
}

// arrivedLocked makes an environment that was coming one of the set's. It is for
// the oldest of those who are resigned to wait for it. The others need not have
// waited for an initialisation: where they will be served at once, it is for
// those to come.
func (s *set) arrivedLocked(e *Environment, now time.Time) bool {
	others := len(s.all) - len(s.idle)
	s.coming--
	s.all[e] = struct{}{}
	s.keeps = s.keeps || e.kept.Load()
	at := slices.IndexFunc(s.waiting, func(w *waiter) bool { return w.resigned })
	switch {
	case at < 0 && !s.retired && (s.pace.serves(len(s.waiting), others, Patience) || s.pace.averages(len(s.waiting), others)):
		s.idleLocked(e, now)
		return true
	case len(s.waiting) > 0:
		e.awaited = true
		s.giveLocked(max(at, 0), e)
		return true
	}
	return s.putLocked(e, now)
}

// failed ends a boot badly: the oldest waiter learns why, if it has waited for
// so long. It is not told when nobody learned it; boot says that another one
// should be booted, for those who hoped for this one.
func (s *set) failed(err error, waited time.Duration) (told, boot bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.coming--
	if len(s.idle) == 0 && len(s.waiting) > 0 && time.Since(s.waiting[0].since) >= waited {
		s.callLocked(0).ch <- handover{err: err}
		told = true
	}
	return told, s.lacksLocked()
}

// calledOff ends a boot badly that nobody was promised. Those who hoped for it
// may need another one: it tells whether to boot.
func (s *set) calledOff() (boot bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.coming--
	return s.lacksLocked()
}

// calledOffAhead is calledOff for what expectUpTo counted.
func (s *set) calledOffAhead() (boot bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.coming--
	s.ahead--
	return s.lacksLocked()
}

// forget removes an environment that has ended. Those who wait behind it get
// an idle one, or may need another one: it tells whether to boot.
func (s *set) forget(e *Environment) (boot bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, e)
	if i := slices.Index(s.idle, e); i >= 0 {
		s.idle = slices.Delete(s.idle, i, i+1)
	}
	if len(s.waiting) > 0 && len(s.idle) > 0 {
		s.serveLocked(0)
	}
	return s.lacksLocked()
}

// lacksLocked tells whether somebody waits for whom nothing is on its way, and
// counts what is to be booted for it.
func (s *set) lacksLocked() (boot bool) {
	if len(s.idle) > 0 || s.coming >= len(s.waiting) {
		return false
	}
	s.coming++
	return true
}

// wanted tells whether somebody waits for whom nothing is idle.
func (s *set) wanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) > 0 && len(s.idle) == 0
}

// remove takes an idle environment, and only this one, out for good.
func (s *set) remove(e *Environment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.idle, e)
	if i < 0 {
		return false
	}
	s.idle = slices.Delete(s.idle, i, i+1)
	return true
}

// rest takes an idle environment, and only this one, out for a background step.
func (s *set) rest(e *Environment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.idle, e)
	if i < 0 {
		return false
	}
	s.idle = slices.Delete(s.idle, i, i+1)
	s.coming++
	return true
}

// rested ends the step: the environment goes where it came from, behind the
// ones used later, or to a waiter.
func (s *set) rested(e *Environment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.coming--
	if len(s.waiting) > 0 || s.retired {
		return s.putLocked(e, e.idleSince)
	}
	at, _ := slices.BinarySearchFunc(s.idle, e, func(a, b *Environment) int { return a.idleSince.Compare(b.idleSince) })
	s.idle = slices.Insert(s.idle, at, e)
	return true
}

// retire makes the set refuse idle environments from now on and returns those
// it has.
func (s *set) retire() []*Environment {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = true
	idle := s.idle
	s.idle = nil
	return idle
}

// retireEmpty retires a set that has nothing and nobody.
func (s *set) retireEmpty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 && len(s.waiting) == 0 && s.coming == 0 {
		s.retired = true
	}
	return s.retired
}

// resting lists the idle environments, the longest idle first.
func (s *set) resting() []*Environment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.idle)
}

// members lists all environments.
func (s *set) members() []*Environment {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Environment, 0, len(s.all))
	for e := range s.all {
		all = append(all, e)
	}
	return all
}
