package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/invoke"
)

func spec(w *world, strategy string) Spec {
	return Spec{Function: w.name, Alias: "live", To: "2", Strategy: strategy}
}

func setUp(t *testing.T) (*world, *Rollouts, *driver) {
	s := openStore(t)
	w := newWorld(t, s, openCatalog(t, s))
	r := w.open()
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return w, r, w.drive(r)
}

func (w *world) state(r *Rollouts, id string) *Rollout {
	w.t.Helper()
	now, err := r.Get(context.Background(), owner, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return now
}

// A good version goes through its steps, with the hooks before and after.
func TestGoodVersionSucceeds(t *testing.T) {
	w, r, d := setUp(t)
	var asked []string
	w.hook = func(req *invoke.Request) (*invoke.Response, error) {
		var e hookEvent
		if err := json.Unmarshal(req.Payload, &e); err != nil {
			t.Error(err)
		}
		asked = append(asked, req.Name+" "+req.Qualifier+" "+e.Phase+" "+e.From+"→"+e.To+" "+w.alias().String())
		return &invoke.Response{Status: 200, Payload: []byte(`{"status":"Succeeded"}`)}, nil
	}
	in := spec(w, "Canary10Percent5Minutes")
	in.PreHook, in.PostHook = w.name+":1", w.name+":2"
	made := must(r.Start(t.Context(), owner, in))
	if made.ID != w.name+".live.1" || made.State != Pending {
		t.Errorf("made %+v", made)
	}
	step := func(want State, at routing) {
		t.Helper()
		if err := w.advance(d); err != nil {
			t.Fatal(err)
		}
		if got := w.state(r, made.ID); got.State != want || w.alias() != at {
			t.Fatalf("state %s, alias at %s; want %s, %s", got.State, w.alias(), want, at)
		}
	}
	step(Stepping, routing{"1", "2", 0.1})
	for i := range 500 {
		w.request(map[bool]string{true: "2", false: "1"}[i%10 == 0], nil)
	}
	w.pass(4 * time.Minute)
	step(Stepping, routing{"1", "2", 0.1})
	w.pass(time.Minute)
	step(Succeeded, routing{version: "2"})
	want := []string{
		w.name + " 1 pre-traffic 1→2 version 1",
		w.name + " 2 post-traffic 1→2 version 2",
	}
	if strings.Join(asked, "\n") != strings.Join(want, "\n") {
		t.Errorf("hooks: %q, want %q", asked, want)
	}
	end := w.state(r, made.ID)
	if g := end.Guards[0]; end.Ended == nil || end.Reason != "" || g.Metric != Errors || g.New.N != 50 || g.Old.N != 450 || g.New.Hits != 0 {
		t.Errorf("ended as %+v", end)
	}
	if len(w.observers) != 0 {
		t.Error("the invoker is still observed")
	}
}

// A bad version is rolled back after few failures, in the middle of a step and
// even while the roll-out is paused.
func TestBadVersionIsRolledBack(t *testing.T) {
	slow := func(o *invoke.Observation) { o.Duration = 300 * time.Millisecond }
	fat := func(o *invoke.Observation) { o.Peak = 100 << 20 }
	hanging := func(o *invoke.Observation) { o.Failed, o.TimedOut, o.Duration = true, true, time.Second }
	for name, test := range map[string]struct {
		bad    func(*invoke.Observation)
		guards []string
		paused bool
		within int // requests of the new version
		reason string
	}{
		"failing":             {bad: failing, within: 8, reason: "guard errors: of version 2"},
		"failing, paused":     {bad: failing, paused: true, within: 8, reason: "guard errors: of version 2"},
		"hanging":             {bad: hanging, guards: []string{"errors=off"}, within: 8, reason: "guard timeouts: of version 2"},
		"slow in the median":  {bad: slow, guards: []string{"p99=off"}, within: 60, reason: "guard p50: of version 2"},
		"slow in the extreme": {bad: slow, guards: []string{"none", "p99=2x"}, within: 60, reason: "took longer than 20.97ms (2 times the old p99)"},
		"large":               {bad: fat, within: 60, reason: "guard memory: of version 2"},
	} {
		t.Run(name, func(t *testing.T) {
			w, r, d := setUp(t)
			in := spec(w, "linear10percentevery1minute")
			in.Guards = must(ParseGuards(test.guards))
			made := must(r.Start(t.Context(), owner, in))
			if err := w.advance(d); err != nil {
				t.Fatal(err)
			}
			if test.paused {
				must(r.Pause(t.Context(), owner, made.ID))
			}
			for range 300 {
				w.request("1", nil)
			}
			sent := 0
			for ; w.state(r, made.ID).State != RolledBack; sent++ {
				if sent > test.within {
					t.Fatalf("not rolled back after %d requests: %+v", sent, w.state(r, made.ID))
				}
				for range 9 {
					w.request("1", nil)
				}
				w.request("2", test.bad)
				if err := w.advance(d); err != nil {
					t.Fatal(err)
				}
			}
			end := w.state(r, made.ID)
			if w.alias() != (routing{version: "1"}) || !strings.Contains(end.Reason, test.reason) {
				t.Errorf("alias at %s, reason %q", w.alias(), end.Reason)
			}
			t.Logf("after %d requests: %s", sent, end.Reason)
		})
	}
}

// What is none of the new version's fault does not count.
func TestWhatDoesNotCount(t *testing.T) {
	w, r, d := setUp(t)
	made := must(r.Start(t.Context(), owner, spec(w, "canary10percent5minutes")))
	if err := w.advance(d); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*invoke.Observation){
		"by number":      func(o *invoke.Observation) { o.Qualifier, o.Failed = "2", true },
		"another alias":  func(o *invoke.Observation) { o.Qualifier, o.Failed = "other", true },
		"began earlier":  func(o *invoke.Observation) { o.Began, o.Failed = o.Began.Add(-time.Second), true },
		"a former life":  func(o *invoke.Observation) { o.FunctionID, o.Failed = "before", true },
		"first and slow": func(o *invoke.Observation) { o.First, o.Duration = true, time.Hour },
	} {
		for range 1000 {
			w.request("1", nil)
			w.request("2", change)
		}
		if err := w.advance(d); err != nil {
			t.Fatal(err)
		}
		if now := w.state(r, made.ID); now.State != Stepping {
			t.Fatalf("%s: %s (%s)", name, now.State, now.Reason)
		}
	}
}

// A hook that fails, says no or can't be invoked stops the roll-out before any
// request moves, or takes all back.
func TestHookFails(t *testing.T) {
	for name, answer := range map[string]struct {
		response *invoke.Response
		err      error
		reason   string
	}{
		"function error": {response: &invoke.Response{FunctionError: "Unhandled", Payload: []byte(`{"errorType":"Oops"}`)}, reason: `it ended with an error: {"errorType":"Oops"}`},
		"says no":        {response: &invoke.Response{Payload: []byte(`{"status":"Failed","reason":"not today"}`)}, reason: "it says no: not today"},
		"can't be run":   {err: &invoke.Error{Kind: invoke.KindInvalidRuntime, Message: "no such runtime"}, reason: "it could not be invoked: no such runtime"},
	} {
		for _, phase := range []string{preTraffic, postTraffic} {
			t.Run(name+", "+phase, func(t *testing.T) {
				w, r, d := setUp(t)
				w.hook = func(req *invoke.Request) (*invoke.Response, error) {
					if !strings.Contains(string(req.Payload), phase) {
						return &invoke.Response{Payload: []byte(`"fine"`)}, nil
					}
					return answer.response, answer.err
				}
				in := spec(w, AllAtOnce)
				in.PreHook, in.PostHook = w.name, w.name
				made := must(r.Start(t.Context(), owner, in))
				if err := w.advance(d); err != nil {
					t.Fatal(err)
				}
				end := w.state(r, made.ID)
				if end.State != RolledBack || !strings.Contains(end.Reason, answer.reason) || w.alias() != (routing{version: "1"}) {
					t.Errorf("%s: %q, alias at %s", end.State, end.Reason, w.alias())
				}
				if moved := w.updates > 0; moved != (phase == postTraffic) {
					t.Errorf("the alias was changed %d times", w.updates)
				}
			})
		}
	}
}

// After all requests have moved at once, the new version is held against what
// the old one did before; without that, against the margin.
func TestBake(t *testing.T) {
	for name, test := range map[string]struct {
		baseline   bool
		oldFail    int // every how manyth request
		newFail    int
		rolledBack bool
	}{
		"good":                         {baseline: true, newFail: 0},
		"as bad as before":             {baseline: true, oldFail: 10, newFail: 10},
		"bad":                          {baseline: true, newFail: 2, rolledBack: true},
		"bad, nothing known of before": {newFail: 5, rolledBack: true},
	} {
		t.Run(name, func(t *testing.T) {
			w, r, d := setUp(t)
			in := spec(w, "")
			in.Steps = must(ParseSteps("100%:10m"))
			if test.baseline {
				in.Steps = must(ParseSteps("0%:1m,100%:10m"))
			}
			made := must(r.Start(t.Context(), owner, in))
			every := func(n int) func(int) func(*invoke.Observation) {
				return func(i int) func(*invoke.Observation) {
					if n > 0 && i%n == 0 {
						return failing
					}
					return nil
				}
			}
			advance := func() {
				if err := w.advance(d); err != nil {
					t.Fatal(err)
				}
			}
			advance()
			if test.baseline {
				for i := range 600 {
					w.request("1", every(test.oldFail)(i))
				}
				w.pass(time.Minute)
				advance()
			}
			if w.alias() != (routing{version: "2"}) {
				t.Fatalf("alias at %s", w.alias())
			}
			for i := range 600 {
				w.request("2", every(test.newFail)(i))
			}
			w.pass(10 * time.Minute)
			advance()
			end := w.state(r, made.ID)
			if want := map[bool]State{true: RolledBack, false: Succeeded}[test.rolledBack]; end.State != want {
				t.Errorf("%s, want %s: %s", end.State, want, end.Reason)
			}
		})
	}
}

// Somebody else who changes the alias, or deletes it, has the last word.
func TestNeverFights(t *testing.T) {
	for name, meddle := range map[string]func(*world) error{
		"moved":   func(w *world) error { w.point(routing{version: "3"}); return nil },
		"weights": func(w *world) error { w.point(routing{"1", "2", 0.2}); return nil },
		"alias deleted": func(w *world) error {
			_, err := w.catalog.DeleteAlias(context.Background(), w.key(), "live")
			return err
		},
		"function deleted": func(w *world) error { return w.catalog.Delete(context.Background(), w.key(), "") },
	} {
		t.Run(name, func(t *testing.T) {
			w, r, d := setUp(t)
			made := must(r.Start(t.Context(), owner, spec(w, "canary10percent5minutes")))
			if err := w.advance(d); err != nil {
				t.Fatal(err)
			}
			if err := meddle(w); err != nil {
				t.Fatal(err)
			}
			updates := w.updates
			if err := w.advance(d); err != nil {
				t.Fatal(err)
			}
			if end := w.state(r, made.ID); end.State != Superseded || end.Reason == "" || w.updates != updates {
				t.Errorf("%s: %q, %d more updates", end.State, end.Reason, w.updates-updates)
			}
		})
	}
}

// A change of the alias that moves nothing is no reason to end.
func TestDescriptionMayChange(t *testing.T) {
	w, r, d := setUp(t)
	made := must(r.Start(t.Context(), owner, spec(w, "canary10percent5minutes")))
	if err := w.advance(d); err != nil {
		t.Fatal(err)
	}
	text := "described meanwhile"
	if _, _, err := w.catalog.UpdateAlias(t.Context(), w.key(), "live", function.AliasChange{Description: &text}); err != nil {
		t.Fatal(err)
	}
	w.pass(5 * time.Minute)
	if err := w.advance(d); err != nil {
		t.Fatal(err)
	}
	if end := w.state(r, made.ID); end.State != Succeeded {
		t.Errorf("%s: %q", end.State, end.Reason)
	}
}

// What can't be meant is refused, in words that help.
func TestStartRefuses(t *testing.T) {
	w, r, _ := setUp(t)
	for name, test := range map[string]struct {
		change func(*Spec)
		want   string
	}{
		"no such function": {func(s *Spec) { s.Function = "none" }, "Function not found"},
		"no such alias":    {func(s *Spec) { s.Alias = "none" }, "has no alias none; it has live"},
		"no such version":  {func(s *Spec) { s.To = "9" }, "no version 9; it has 1 2 3"},
		"the same version": {func(s *Spec) { s.To = "1" }, "points at version 1 already"},
		"$LATEST":          {func(s *Spec) { s.To = "$LATEST" }, "publish a version first"},
		"no such strategy": {func(s *Spec) { s.Strategy = "yolo" }, "there is no strategy"},
		"shrinking steps":  {func(s *Spec) { s.Strategy, s.Steps = "", []Step{{50, 1}, {10, 1}} }, "must grow"},
		"both":             {func(s *Spec) { s.Steps = []Step{{50, 1}} }, "not both"},
		"no such hook":     {func(s *Spec) { s.PreHook = "none" }, "hook: Function not found"},
		"no such guard":    {func(s *Spec) { s.Guards = []Guard{{Metric: "mood"}} }, "there is no guard"},
		"no alpha":         {func(s *Spec) { s.Alpha = 2 }, "alpha"},
	} {
		in := spec(w, "canary10percent5minutes")
		test.change(&in)
		if _, err := r.Start(t.Context(), owner, in); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	made := must(r.Start(t.Context(), owner, Spec{Function: w.name, Alias: "live"}))
	if made.To != "3" || made.Strategy != DefaultStrategy || len(made.Guards) != len(Metrics) {
		t.Errorf("by default %+v", made)
	}
	var refused *Error
	if _, err := r.Start(t.Context(), owner, spec(w, AllAtOnce)); !errors.As(err, &refused) || refused.Kind != Conflict {
		t.Errorf("a second one: %v", err)
	}
	must(r.Abort(t.Context(), owner, made.ID))
	again := must(r.Start(t.Context(), owner, spec(w, AllAtOnce)))
	if again.ID != w.name+".live.2" {
		t.Errorf("the next is %s", again.ID)
	}
	if past := w.state(r, made.ID); past.State != Aborted {
		t.Errorf("the first one is remembered as %s", past.State)
	}
}
