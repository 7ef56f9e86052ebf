package worker

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestSet drives a set with every order of events that requests, boots,
// freezes and deaths can make, and holds it to its promises: an environment is
// in one hand at a time, waiters are served oldest first, nobody waits while
// something is idle, and whoever waits has something on its way or somebody
// who will give back.
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
		served := func(e *Environment) { // e went to the oldest waiter, if there was one
			if len(queue) == 0 {
				return
			}
			select {
			case h := <-queue[0].ch:
				if h.env != e {
					t.Fatalf("the oldest waiter got another environment")
				}
				busy, queue = append(busy, e), queue[1:]
			default:
				t.Fatalf("an environment came and the oldest waiter did not get it")
			}
		}
		draw := func(from []*Environment) *Environment {
			return from[rapid.IntRange(0, len(from)-1).Draw(t, "which")]
		}
		without := func(list []*Environment, e *Environment) []*Environment {
			return slices.DeleteFunc(list, func(o *Environment) bool { return o == e })
		}
		t.Repeat(map[string]func(*rapid.T){
			"request": func(t *rapid.T) {
				idle := len(s.idle)
				e, w, boot := s.take(Amount{})
				switch {
				case e != nil:
					if idle == 0 || slices.Contains(busy, e) {
						t.Fatalf("took an environment that was not idle")
					}
					busy = append(busy, e)
				case w == nil:
					t.Fatalf("a set that is not retired refused")
				default:
					if idle > 0 {
						t.Fatalf("waits although %d are idle", idle)
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
				if !s.arrived(e, now()) {
					t.Fatalf("a wanted environment was refused")
				}
				served(e)
			},
			"boot fails": func(t *rapid.T) {
				if boots == 0 {
					return
				}
				boots--
				told := s.failed(errors.New("no luck"))
				if told != (len(queue) > 0) {
					t.Fatalf("told a waiter: %t, with %d waiting", told, len(queue))
				}
				if told {
					if h := <-queue[0].ch; h.err == nil {
						t.Fatalf("the oldest waiter was not told")
					}
					queue = queue[1:]
				}
			},
			"give back": func(t *rapid.T) {
				if len(busy) == 0 {
					return
				}
				e := draw(busy)
				busy = without(busy, e)
				s.settle(time.Hour) // so that nobody is asked for patience
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
				if s.forget(e) {
					boots++
				}
			},
			"idle one ends": func(t *rapid.T) {
				if len(s.idle) == 0 {
					return
				}
				if s.forget(draw(s.idle)) {
					boots++
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
				if len(s.idle) > 0 && len(s.waiting) > 0 {
					t.Fatalf("%d idle while %d wait", len(s.idle), len(s.waiting))
				}
				if len(s.waiting) != len(queue) {
					t.Fatalf("%d wait, and %d should", len(s.waiting), len(queue))
				}
				if s.coming != boots+len(resting)+len(settling) {
					t.Fatalf("%d are coming, and %d boot, %d rest and %d settle", s.coming, boots, len(resting), len(settling))
				}
				if len(queue) > s.coming+len(busy) {
					t.Fatalf("%d wait, and only %d come and %d are busy", len(queue), s.coming, len(busy))
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
	if e, _, _ := s.take(Amount{}); e != busy {
		t.Fatal("the one used last should be used first")
	}
	if got := s.retire(); len(got) != 1 || got[0] != idle {
		t.Errorf("retire returned %d environments", len(got))
	}
	s.settle(time.Millisecond)
	if s.settled(busy, time.Now()) {
		t.Error("a retired set took an environment back")
	}
	if e, w, boot := s.take(Amount{}); e != nil || w != nil || boot {
		t.Error("a retired set still takes requests")
	}
}

func TestAShortWaitIsNoReasonToBoot(t *testing.T) {
	s := &set{all: map[*Environment]struct{}{}}
	request := func(wantBoot bool) *waiter {
		t.Helper()
		e, w, boot := s.take(Amount{})
		if e != nil || boot != wantBoot {
			t.Fatalf("take = %v, boot %t, want none and %t", e, boot, wantBoot)
		}
		return w
	}
	request(true) // nothing there, nothing known
	e := &Environment{set: s}
	s.arrived(e, time.Now())
	request(true) // busy, and nobody knows for how long
	s.settle(patience * 2 / 5)
	s.settled(e, time.Now()) // to that waiter
	s.failed(nil)            // its boot comes to nothing
	first := request(false)  // two fifths of the patience
	second := request(false) // four fifths
	request(true)            // more than that
	if s.insist(first) != true || s.insist(second) != true {
		t.Error("whoever waited long enough gets an environment of their own")
	}
	if s.insist(second) {
		t.Error("one is on its way for every waiter already")
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
	if e, _, _ := s.take(Amount{}); e != kept {
		t.Error("the environment used last came first")
	}
	if e, _, _ := s.take(Amount{}); e != ordinary {
		t.Error("what goes beyond has no environment")
	}
}
