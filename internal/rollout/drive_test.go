package rollout

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/invoke"
)

// A step's time begins when its weights reach requests, not before.
func TestStepWaitsForTheMove(t *testing.T) {
	w, r, d := setUp(t)
	w.hold = true
	made := must(r.Start(t.Context(), owner, spec(w, "canary10percent5minutes")))
	advance := func() *Rollout {
		t.Helper()
		if err := w.advance(d); err != nil {
			t.Fatal(err)
		}
		return w.state(r, made.ID)
	}
	if now := advance(); now.StepEnds != nil || now.Percent != 0 || w.alias() != (routing{"1", "2", 0.1}) {
		t.Fatalf("the alias moves, and the step has begun: %+v", now)
	}
	w.pass(10 * time.Second)
	advance()
	view := must(w.catalog.Get(w.key()))
	must(w.catalog.CompleteMove(t.Context(), w.key(), "live", view.Aliases["live"].RevisionID))
	if now := advance(); now.StepEnds == nil || !now.StepEnds.Equal(w.clock().Add(5*time.Minute)) || w.updates != 1 {
		t.Errorf("moved, and the step ends at %v after %d updates", now.StepEnds, w.updates)
	}
}

// A move that takes too long does not hold a roll-out up for good.
func TestStepDoesNotWaitForever(t *testing.T) {
	w, r, d := setUp(t)
	w.hold = true
	made := must(r.Start(t.Context(), owner, spec(w, "canary10percent5minutes")))
	for range 2 {
		if err := w.advance(d); err != nil {
			t.Fatal(err)
		}
		w.pass(moveFor)
	}
	if now := w.state(r, made.ID); now.StepEnds == nil {
		t.Errorf("%+v", now)
	}
}

// What the deployment manager refuses, because it does not even initialise, is
// rolled back; also when that is found out only after the step had begun, and by
// a node that was started meanwhile.
func TestRefusedMove(t *testing.T) {
	for name, begun := range map[string]bool{"before the step": false, "in the step": true} {
		t.Run(name, func(t *testing.T) {
			w, r, d := setUp(t)
			w.hold = true
			made := must(r.Start(t.Context(), owner, spec(w, "canary10percent5minutes")))
			if err := w.advance(d); err != nil {
				t.Fatal(err)
			}
			if begun {
				w.pass(moveFor)
				if err := w.advance(d); err != nil {
					t.Fatal(err)
				}
				d.forget()
				d = w.drive(r)
			}
			view := must(w.catalog.Get(w.key()))
			must(w.catalog.FailMove(t.Context(), w.key(), "live", view.Aliases["live"].RevisionID, "it exits at once"))
			w.hold = false
			if err := w.advance(d); err != nil {
				t.Fatal(err)
			}
			end := w.state(r, made.ID)
			if end.State != RolledBack || end.Reason != "version 2 does not work: it exits at once" || w.alias() != (routing{version: "1"}) {
				t.Errorf("%s: %q, alias at %s", end.State, end.Reason, w.alias())
			}
		})
	}
}

// A node that leads drives: several roll-outs at a time, one after the other of
// the same alias, with those that watch told of each change; and stops when it
// is told to.
func TestRunDrives(t *testing.T) {
	s := openStore(t)
	c := openCatalog(t, s)
	var all []*world
	for range 4 {
		all = append(all, newWorld(t, s, c))
	}
	first := all[0]
	r, err := Open(t.Context(), Options{State: s, Catalog: c, Invoker: first, Node: "test"})
	if err != nil {
		t.Fatal(err)
	}
	// Nobody brings aliases to where they move but the test.
	stop := c.Changes(func(key function.Key, view *function.View) {
		if view == nil {
			return
		}
		if a := view.Aliases["live"]; a != nil && a.Moving != nil {
			_, _ = c.CompleteMove(context.Background(), key, "live", a.RevisionID)
		}
	})
	defer stop()
	first.hook = func(*invoke.Request) (*invoke.Response, error) { return &invoke.Response{Payload: []byte("1")}, nil }
	ctx, cancel := context.WithCancel(t.Context())
	var running, watching sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	for _, w := range all {
		watching.Go(func() {
			for i, to := range []string{"2", "3", "1"} {
				in := Spec{Function: w.name, Alias: "live", To: to, Steps: []Step{{20, 0.01}, {60, 0.01}, {100, 0}}, PreHook: w.name + ":1"}
				made, err := r.Start(ctx, owner, in)
				if err != nil {
					t.Error(err)
					return
				}
				var seen []State
				err = r.Watch(ctx, owner, made.ID, func(now *Rollout) error {
					if len(seen) == 0 || seen[len(seen)-1] != now.State {
						seen = append(seen, now.State)
					}
					return nil
				})
				if err != nil || seen[len(seen)-1] != Succeeded {
					t.Errorf("roll-out %d of %s: %v, %v", i, w.name, seen, err)
				}
				if at := w.alias(); at != (routing{version: to}) {
					t.Errorf("roll-out %d of %s: alias at %s", i, w.name, at)
				}
			}
		})
	}
	watching.Wait()
	list := r.List(owner, first.name, "live")
	if len(list) != 3 || !slices.ContainsFunc(list, func(r Rollout) bool { return r.ID == first.name+".live.2" }) {
		t.Errorf("the list has %d", len(list))
	}
	stopWatching := errors.New("seen enough")
	again := must(r.Start(ctx, owner, Spec{Function: first.name, Alias: "live", To: "2", Strategy: "canary10percent1hour"}))
	if err := r.Watch(ctx, owner, again.ID, func(now *Rollout) error {
		if now.Percent == 10 {
			return stopWatching
		}
		return nil
	}); !errors.Is(err, stopWatching) {
		t.Error(err)
	}
	cancel()
	running.Wait()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if len(first.observers) != 0 {
		t.Error("the invoker is still observed")
	}
}

// When the node that drives steps down, another one goes on with the step.
func TestAnotherNodeGoesOn(t *testing.T) {
	s := openStore(t)
	c := openCatalog(t, s)
	w := newWorld(t, s, c)
	node := func(name string) (r *Rollouts, stop func()) {
		r, err := Open(t.Context(), Options{State: s, Catalog: w, Invoker: w, Node: name})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.Run(ctx) })
		return r, func() {
			cancel()
			running.Wait()
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	one, stopOne := node("one")
	defer stopOne()
	made := must(one.Start(t.Context(), owner, Spec{Function: w.name, Alias: "live", To: "2", Steps: []Step{{20, 1}, {100, 0}}}))
	begun := errors.New("the step has begun")
	if err := one.Watch(t.Context(), owner, made.ID, func(now *Rollout) error {
		if now.Percent == 20 {
			return begun
		}
		return nil
	}); !errors.Is(err, begun) {
		t.Fatal(err)
	}
	two, stopTwo := node("two")
	defer stopTwo()
	stopOne()
	if err := two.Watch(t.Context(), owner, made.ID, func(*Rollout) error { return nil }); err != nil {
		t.Fatal(err)
	}
	end := w.state(two, made.ID)
	if end.State != Succeeded || w.alias() != (routing{version: "2"}) || w.updates != 2 {
		t.Errorf("%s after %d updates: %+v", end.State, w.updates, end.Events)
	}
}
