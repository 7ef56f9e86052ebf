package worker

import (
	"errors"
	"flag"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What goes wrong in a set does so after a long history, of which the usual
// number of checks makes too few.
func init() {
	for name, value := range map[string]string{"rapid.steps": "100", "rapid.checks": "2000"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
}

// TestSet drives a set with every order of events that requests, boots,
// freezes and deaths can make, and holds it to its promises: an environment is
// in one hand at a time, waiters are served oldest first, those who wait for a
// boot before others by what was booted, nobody waits while something is idle
// unless the machine is saturated and enough are at work, or it looks again soon
// and others serve it meanwhile, and whoever waits has something on its way or
// somebody who will give back.
func TestSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &set{all: map[*Environment]struct{}{}}
		var (
			queue    []*waiter // as the model has it
			busy     []*Environment
			resting  []*Environment
			settling []*Environment
			boots    int
			clock    = time.Unix(1_800_000_000, 0)
		)
		now := func() time.Time { clock = clock.Add(time.Millisecond); return clock }
		given := func(e *Environment, at int) { // e went to that waiter
			select {
			case h := <-queue[at].ch:
				if h.env != e {
					t.Fatalf("the waiter whose turn it was got another environment")
				}
				busy, queue = append(busy, e), slices.Delete(queue, at, at+1)
			default:
				t.Fatalf("an environment came and the waiter whose turn it was did not get it")
			}
		}
		served := func(e *Environment) { // e went to the oldest waiter, if there was one
			if len(queue) > 0 {
				given(e, 0)
			}
		}
		// came is served for what was booted, when others were not idle.
		came := func(e *Environment, others int) {
			if slices.Contains(s.idle, e) {
				if len(queue) > 0 && others == 0 {
					t.Fatalf("it is idle while %d wait for nobody else", len(queue))
				}
				return
			}
			if !e.awaited {
				t.Fatalf("somebody waited for it, and it does not know")
			}
			given(e, max(slices.IndexFunc(queue, func(w *waiter) bool { return w.resigned }), 0))
		}
		draw := func(from []*Environment) *Environment {
			return from[rapid.IntRange(0, len(from)-1).Draw(t, "which")]
		}
		without := func(list []*Environment, e *Environment) []*Environment {
			return slices.DeleteFunc(list, func(o *Environment) bool { return o == e })
		}
		t.Repeat(map[string]func(*rapid.T){
			"request": func(t *rapid.T) {
				idle, atWork := len(s.idle), len(s.all)-len(s.idle)
				saturated := rapid.Bool().Draw(t, "saturated")
				e, w, boot := s.take(Amount{}, saturated)
				switch {
				case e != nil:
					if idle == 0 || slices.Contains(busy, e) {
						t.Fatalf("took an environment that was not idle")
					}
					busy = append(busy, e)
				case w == nil:
					t.Fatalf("a set that is not retired refused")
				default:
					if idle > 0 && (!saturated || atWork < s.pace.enough()) {
						t.Fatalf("waits although %d are idle and only %d at work", idle, atWork)
					}
					if idle > 0 && boot {
						t.Fatalf("boots although %d are idle", idle)
					}
					queue = append(queue, w)
				}
				if boot {
					boots++
				}
			},
			"boot succeeds": func(t *rapid.T) {
				if boots == 0 {
					return
				}
				boots--
				e := &Environment{set: s}
				others := len(s.all) - len(s.idle)
				if !s.arrived(e, now()) {
					t.Fatalf("a wanted environment was refused")
				}
				came(e, others)
			},
			"boot fails": func(t *rapid.T) {
				if boots == 0 {
					return
				}
				boots--
				patient := rapid.Bool().Draw(t, "concerns only those who waited long")
				waited := time.Duration(0)
				if patient {
					waited = time.Hour
				}
				idle := len(s.idle) > 0
				told, boot := s.failed(errors.New("no luck"), waited)
				if told != (len(queue) > 0 && !patient && !idle) {
					t.Fatalf("told a waiter: %t, with %d waiting", told, len(queue))
				}
				if boot {
					boots++
				}
				if told {
					if h := <-queue[0].ch; h.err == nil {
						t.Fatalf("the oldest waiter was not told")
					}
					queue = queue[1:]
				}
			},
			"boot is called off": func(t *rapid.T) {
				if boots == 0 {
					return
				}
				boots--
				if s.calledOff() {
					boots++
				}
			},
			"tend looks": func(t *rapid.T) {
				idle := len(s.idle)
				if s.grow(time.Now()) {
					if idle > 0 || len(queue) == 0 {
						t.Fatalf("grows with %d waiting and %d idle", len(queue), idle)
					}
					boots++
				}
			},
			"patience ends": func(t *rapid.T) {
				if len(queue) == 0 {
					return
				}
				i := rapid.IntRange(0, len(queue)-1).Draw(t, "whose")
				w, idle := queue[i], len(s.idle) > 0
				boot, again := s.insist(w, time.Now().Add(rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "waited")), rapid.Bool().Draw(t, "saturated"), rapid.Bool().Draw(t, "occupied"))
				switch {
				case idle:
					select {
					case h := <-w.ch:
						busy, queue = append(busy, h.env), slices.Delete(queue, i, i+1)
					default:
						t.Fatalf("insists on something idle in vain")
					}
				case boot:
					boots++
				case !again && s.coming < len(queue):
					t.Fatalf("waits for nothing")
				}
			},
			"window ends": func(t *rapid.T) { s.turn(now().Add(time.Hour)) },
			"give back": func(t *rapid.T) {
				if len(busy) == 0 {
					return
				}
				e := draw(busy)
				busy = without(busy, e)
				s.settle(rapid.SampledFrom([]time.Duration{time.Microsecond, time.Millisecond, time.Hour}).Draw(t, "took"))
				e.work = work{cpu: rapid.SampledFrom([]time.Duration{0, time.Microsecond, time.Second}).Draw(t, "cpu"), processors: 1}
				settling = append(settling, e)
			},
			"settled": func(t *rapid.T) {
				if len(settling) == 0 {
					return
				}
				e := draw(settling)
				settling = without(settling, e)
				if !s.settled(e, now()) {
					t.Fatalf("an environment was refused")
				}
				served(e)
			},
			"busy one ends": func(t *rapid.T) {
				if len(busy) == 0 {
					return
				}
				e := draw(busy)
				busy = without(busy, e)
				idle := len(s.idle) > 0
				if s.forget(e) {
					boots++
				}
				if idle && len(queue) > 0 { // something idle takes its place
					h := <-queue[0].ch
					busy, queue = append(busy, h.env), queue[1:]
				}
			},
			"idle one ends": func(t *rapid.T) {
				if len(s.idle) == 0 {
					return
				}
				several := len(s.idle) > 1
				if s.forget(draw(s.idle)) {
					boots++
				}
				if several && len(queue) > 0 {
					h := <-queue[0].ch
					busy, queue = append(busy, h.env), queue[1:]
				}
			},
			"begin to freeze": func(t *rapid.T) {
				if len(s.idle) == 0 {
					return
				}
				e := draw(s.idle)
				if !s.rest(e) {
					t.Fatalf("an idle environment did not rest")
				}
				resting = append(resting, e)
			},
			"frozen": func(t *rapid.T) {
				if len(resting) == 0 {
					return
				}
				e := draw(resting)
				resting = without(resting, e)
				if !s.rested(e) {
					t.Fatalf("a rested environment was refused")
				}
				served(e)
			},
			"give up waiting": func(t *rapid.T) {
				if len(queue) == 0 {
					return
				}
				i := rapid.IntRange(0, len(queue)-1).Draw(t, "who")
				if !s.abandon(queue[i]) {
					t.Fatalf("a waiter that was not served could not leave")
				}
				queue = slices.Delete(queue, i, i+1)
			},
			"": func(t *rapid.T) {
				if len(s.idle) > 0 && len(s.waiting) > 0 && len(busy)+len(settling)+len(resting) == 0 {
					t.Fatalf("%d idle while %d wait for nobody", len(s.idle), len(s.waiting))
				}
				if len(s.waiting) != len(queue) {
					t.Fatalf("%d wait, and %d should", len(s.waiting), len(queue))
				}
				for _, w := range s.waiting {
					if w.resigned && len(s.idle) > 0 {
						t.Fatalf("%d idle, and somebody looks no more", len(s.idle))
					}
				}
				if s.coming != boots+len(resting)+len(settling) {
					t.Fatalf("%d are coming, and %d boot, %d rest and %d settle", s.coming, boots, len(resting), len(settling))
				}
				if len(queue) > 0 && s.coming+len(busy) == 0 {
					t.Fatalf("%d wait, and nothing comes or is busy", len(queue))
				}
				if !slices.IsSortedFunc(s.idle, func(a, b *Environment) int { return a.idleSince.Compare(b.idleSince) }) {
					t.Fatalf("idle environments are not in the order of their last use")
				}
				for _, e := range s.idle {
					if slices.Contains(busy, e) || slices.Contains(resting, e) {
						t.Fatalf("an environment is in two hands")
					}
				}
			},
		})
	})
}

func TestRetiredSetKeepsNothing(t *testing.T) {
	s := &set{all: map[*Environment]struct{}{}}
	idle, busy := &Environment{set: s}, &Environment{set: s}
	s.coming = 2
	s.arrived(idle, time.Now())
	s.arrived(busy, time.Now())
	if e, _, _ := s.take(Amount{}, false); e != busy {
		t.Fatal("the one used last should be used first")
	}
	if got := s.retire(); len(got) != 1 || got[0] != idle {
		t.Errorf("retire returned %d environments", len(got))
	}
	s.settle(time.Millisecond)
	if s.settled(busy, time.Now()) {
		t.Error("a retired set took an environment back")
	}
	if e, w, boot := s.take(Amount{}, false); e != nil || w != nil || boot {
		t.Error("a retired set still takes requests")
	}
}

func TestAShortWaitIsNoReasonToBoot(t *testing.T) {
	s := &set{all: map[*Environment]struct{}{}}
	request := func(wantBoot bool) *waiter {
		t.Helper()
		e, w, boot := s.take(Amount{}, false)
		if e != nil || boot != wantBoot {
			t.Fatalf("take = %v, boot %t, want none and %t", e, boot, wantBoot)
		}
		return w
	}
	request(true) // nothing there, nothing known
	e := &Environment{set: s}
	s.arrived(e, time.Now())
	request(true) // busy, and nobody knows for how long
	s.settle(soonEnough * 2 / 5)
	s.settled(e, time.Now()) // to that waiter
	s.failed(nil, 0)         // its boot comes to nothing
	first := request(false)  // two fifths of what is soon enough
	second := request(false) // four fifths
	request(true)            // more than that
	insist := func(w *waiter, waited time.Duration, wantBoot, wantAgain bool) {
		t.Helper()
		if boot, again := s.insist(w, w.since.Add(waited), false, false); boot != wantBoot || again != wantAgain {
			t.Errorf("boot %t, again %t, want %t, %t", boot, again, wantBoot, wantAgain)
		}
	}
	insist(first, Patience, false, true)   // its turn comes soon
	insist(first, 2*Patience, true, false) // nothing has moved
	s.given++
	insist(second, Patience, false, true) // the queue moves,
	s.given++
	insist(second, longestPatience, true, false)    // and it has waited long enough
	insist(second, 2*longestPatience, false, false) // one is on its way for everybody
}

// On an occupied machine a queue of quick invocations that stands still is
// probably kept from a processor: it moves on before an environment is booted.
func TestAnOccupiedMachineTakesPatience(t *testing.T) {
	for _, c := range []struct {
		name                string
		invocation, waited  time.Duration
		occupied, wantAgain bool
	}{
		{"quick, and the machine has time", time.Millisecond, 3 * Patience, false, false},
		{"quick, and the machine is occupied", time.Millisecond, 3 * Patience, true, true},
		{"quick, for too long", time.Millisecond, longestPatience, true, false},
		{"slow", time.Second, 3 * Patience, true, false},
	} {
		s := &set{all: map[*Environment]struct{}{}}
		e := &Environment{set: s}
		s.expect()
		s.arrived(e, time.Now())
		use := func(took time.Duration) {
			s.take(Amount{}, false)
			e.taken = time.Unix(0, 0)
			s.settle(took)
			s.settled(e, e.taken.Add(took))
		}
		for range 100 {
			use(c.invocation)
		}
		use(time.Second)        // the machine stood still,
		s.take(Amount{}, false) // and does so again
		_, w, _ := s.take(Amount{}, false)
		for range stuckFor {
			s.insist(w, w.since, false, true)
		}
		if _, again := s.insist(w, w.since.Add(c.waited), false, c.occupied); again != c.wantAgain || w.resigned == again {
			t.Errorf("%s: again %t, resigned %t", c.name, again, w.resigned)
		}
	}
}

// What was booted is for those who are resigned to wait for it, and then for
// those to come: others are served in a moment, and need not have waited for an
// initialisation.
func TestWhoeverNeedNotWaitForABootDoesNot(t *testing.T) {
	s := &set{all: map[*Environment]struct{}{}}
	boot := func() *Environment {
		e := &Environment{set: s}
		s.expect()
		s.arrived(e, time.Now())
		return e
	}
	boot()
	s.take(Amount{}, false)
	s.settle(time.Millisecond)
	_, patient, _ := s.take(Amount{}, false)
	_, resigned, _ := s.take(Amount{}, false)
	for range stuckFor + 1 {
		s.insist(resigned, resigned.since, false, false)
	}
	first, second := boot(), boot()
	if h := <-resigned.ch; h.env != first || !first.awaited {
		t.Error("who was resigned did not get what was booted")
	}
	if len(patient.ch) > 0 || second.awaited {
		t.Error("who is served in a moment got it")
	}
	if boot, again := s.insist(patient, time.Now(), false, false); boot || again || (<-patient.ch).env != second {
		t.Error("who was not served after all did not get it")
	}
}

// Two processors, and invocations that need one of them half of their time.
func TestManyQuickInvocationsTakeTurns(t *testing.T) {
	s := &set{all: map[*Environment]struct{}{}}
	const there = 40
	for range there {
		s.expect()
		s.arrived(&Environment{set: s}, time.Now())
	}
	invoke := func(e *Environment) {
		s.settle(200 * time.Microsecond)
		e.work = work{cpu: 100 * time.Microsecond, processors: 2}
		s.settled(e, time.Now())
	}
	e, _, _ := s.take(Amount{}, true)
	invoke(e)

	var running []*Environment
	var waiting []*waiter
	for range there {
		e, w, boot := s.take(Amount{}, true)
		switch {
		case boot:
			t.Fatal("booted beside idle ones")
		case e != nil && len(waiting) > 0:
			t.Fatal("overtook one who waits")
		case e != nil:
			running = append(running, e)
		default:
			waiting = append(waiting, w)
		}
	}
	if len(running) != 2*pipeline*2 {
		t.Errorf("%d are under way", len(running))
	}
	invoke(running[0])
	if h := <-waiting[0].ch; h.env != running[0] {
		t.Error("the first in the queue is not the next")
	}
	if boot, again := s.insist(waiting[1], time.Now(), true, true); boot || again {
		t.Error("whoever waited long enough takes an idle one")
	}
	if h := <-waiting[1].ch; h.env == nil {
		t.Error("it got none")
	}
	if e, _, _ := s.take(Amount{}, false); e == nil {
		t.Error("on a machine that has time to spare nobody waits")
	}
}

// Provisioned environments serve first, so that others become idle and end.
func TestKeptEnvironmentsServeFirst(t *testing.T) {
	s := &set{all: map[*Environment]struct{}{}}
	now := time.Now()
	ordinary, kept := &Environment{set: s}, &Environment{set: s}
	kept.kept.Store(true)
	for _, e := range []*Environment{kept, ordinary} {
		s.expect()
		s.arrived(e, now)
	}
	if e, _, _ := s.take(Amount{}, false); e != kept {
		t.Error("the environment used last came first")
	}
	if e, _, _ := s.take(Amount{}, false); e != ordinary {
		t.Error("what goes beyond has no environment")
	}
}
