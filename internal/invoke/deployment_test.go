package invoke

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hearthd/hearth/internal/function"
)

// says is a function that answers n; setup is what its initialisation does.
func says(n int, setup string) []string {
	return []string{"lambda_function.py", fmt.Sprintf("import time\n%s\ndef handler(e, c):\n    time.sleep((e or {}).get('sleep', 0))\n    return %d\n", setup, n)}
}

func keyOf(name string) function.Key { return function.Key{Account: testAccount, Name: name} }

// begin gives a function new code and returns without waiting for the update.
func (h *house) begin(name string, files []string) *function.View {
	h.t.Helper()
	v, err := h.catalog.UpdateCode(h.t.Context(), keyOf(name), function.UpdateCodeInput{Package: h.zip(files...)})
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

// until waits for the function's view to be as asked for.
func (h *house) until(name string, is func(*function.View) bool) *function.View {
	h.t.Helper()
	changed := make(chan struct{}, 1)
	stop := h.catalog.Changes(func(function.Key, *function.View) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer stop()
	for {
		if v, ok := h.catalog.Lookup(keyOf(name)); ok && is(v) {
			return v
		}
		select {
		case <-changed:
		case <-h.t.Context().Done():
			h.t.Fatal("the function did not become what was waited for")
		}
	}
}

func updated(v *function.View) bool { return v.Status.Update == function.Successful }

// ask invokes with a policy.
func (h *house) ask(name, qualifier, policy string) *Response {
	h.t.Helper()
	resp, err := h.invoker.Invoke(h.t.Context(), &Request{
		Account: testAccount, Name: name, Qualifier: qualifier, RequestID: uuid.NewString(), Payload: []byte("{}"), UpdatePolicy: policy,
	})
	if err != nil {
		h.t.Fatalf("invoke %s: %v", name, err)
	}
	if resp.Finish != nil {
		resp.Finish()
	}
	return resp
}

// Under load, updates and moves of an alias fail no request and let none wait
// for an initialisation, and once one is done only the new code answers.
func TestDeploymentsUnderLoadAreNotNoticed(t *testing.T) {
	h := newHouse(t, nil)
	h.create("f", python(), says(1, "")...)
	const clients = 4
	call := func(qualifier, payload string) (*Response, error) {
		resp, err := h.invoker.Invoke(t.Context(), &Request{Account: testAccount, Name: "f", Qualifier: qualifier, RequestID: uuid.NewString(), Payload: []byte(payload)})
		if err == nil && resp.Finish != nil {
			resp.Finish()
		}
		return resp, err
	}
	var warm sync.WaitGroup
	for range clients {
		warm.Go(func() {
			if _, err := call("", `{"sleep":1}`); err != nil { // all at the same time
				t.Error(err)
			}
		})
	}
	warm.Wait()
	first, _ := h.catalog.Lookup(keyOf("f"))
	for h.workers.Load(first.Serving.ID).Environments < clients {
		time.Sleep(10 * time.Millisecond) // one that was booted for a request that another served is on its way
	}

	var wanted atomic.Int64 // what must answer at least
	wanted.Store(1)
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range clients {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				least := wanted.Load()
				resp, err := call("", `{"sleep":0.01}`)
				if err != nil || resp.FunctionError != "" || resp.Cold && string(resp.Payload) != "1" {
					t.Errorf("during a deployment: %v %+v", err, resp)
					return
				}
				var got int64
				if _, err := fmt.Sscan(string(resp.Payload), &got); err != nil || got < least {
					t.Errorf("%s answered after %d was served", resp.Payload, least)
				}
			}
		})
	}
	for n := 2; n <= 4; n++ {
		if v := h.update("f", says(n, "time.sleep(0.2)")...); !updated(v) {
			t.Errorf("update: %+v", v.Status)
		}
		wanted.Store(int64(n))
	}
	close(stop)
	load.Wait()
}

// What a deployment made is pre-booted anew, where it made it, and the next one
// puts its code there.
func TestDeploymentsFindPreBootedEnvironments(t *testing.T) {
	h := newHouse(t, nil)
	h.create("f", python(), says(0, "")...)
	h.invoke("f", "{}")
	h.update("f", says(1, "")...)
	for n := 2; n < 5; n++ {
		var ready []string
		h.eventually("an environment is pre-booted", func() bool {
			ready = h.environments(true)
			return len(ready) > 0
		})
		h.update("f", says(n, "")...)
		h.eventually("the next deployment uses it", func() bool {
			return slices.ContainsFunc(h.environments(false), func(id string) bool { return slices.Contains(ready, id) })
		})
	}
}

func TestDeploymentPolicies(t *testing.T) {
	h := newHouse(t, nil)
	h.create("f", python(), says(1, "")...)
	h.ask("f", "", "")

	t.Run("serve-previous answers at once, strict waits", func(t *testing.T) {
		h.begin("f", says(2, "time.sleep(1)"))
		if resp := h.ask("f", "", ""); string(resp.Payload) == "1" != resp.Stale {
			t.Errorf("%s answered, stale %t", resp.Payload, resp.Stale)
		}
		if resp := h.ask("f", "", "strict"); string(resp.Payload) != "2" || resp.Stale || resp.Cold {
			t.Errorf("strict: %s answered, stale %t, cold %t", resp.Payload, resp.Stale, resp.Cold)
		}
		h.until("f", updated)
	})
	t.Run("what is too old waits", func(t *testing.T) {
		h.begin("f", says(3, "time.sleep(2)"))
		accepted := time.Now()
		for {
			began := time.Now()
			resp := h.ask("f", "", "serve-previous;max-staleness=1")
			if string(resp.Payload) == "3" {
				break
			}
			if age := began.Sub(accepted); age > time.Second {
				t.Fatalf("%s answered a request that came %s after the update", resp.Payload, age)
			}
		}
		h.until("f", updated)
	})
	t.Run("two quick updates end at the last one", func(t *testing.T) {
		h.begin("f", says(4, "time.sleep(1)"))
		h.begin("f", says(5, ""))
		for resp := h.ask("f", "", ""); string(resp.Payload) != "5"; resp = h.ask("f", "", "") {
			if string(resp.Payload) != "3" {
				t.Fatalf("%s answered, which was overtaken", resp.Payload)
			}
		}
	})
	t.Run("a request begins the update", func(t *testing.T) {
		if _, err := h.catalog.Tag(t.Context(), keyOf("f"), map[string]string{function.TagUpdateTrigger: "request"}); err != nil {
			t.Fatal(err)
		}
		v := h.begin("f", says(6, ""))
		if load := h.workers.Load(v.Wanted.ID); load.Environments != 0 || v.Status.Update != function.InProgress {
			t.Errorf("prepared before a request came: %+v, %+v", load, v.Status)
		}
		if resp := h.ask("f", "", ""); string(resp.Payload) != "5" || !resp.Stale {
			t.Errorf("%s answered the first request, stale %t", resp.Payload, resp.Stale)
		}
		h.until("f", updated)
		if resp := h.ask("f", "", ""); string(resp.Payload) != "6" || resp.Stale || resp.Cold {
			t.Errorf("%s answered, stale %t, cold %t", resp.Payload, resp.Stale, resp.Cold)
		}
	})
	t.Run("exactly this code", func(t *testing.T) {
		v, _ := h.catalog.Lookup(keyOf("f"))
		req := &Request{Account: testAccount, Name: "f", RequestID: uuid.NewString(), Payload: []byte("{}"), CodeSHA256: v.Wanted.CodeSHA256, Tail: true}
		if resp, err := h.invoker.Invoke(t.Context(), req); err != nil || string(resp.Payload) != "6" {
			t.Errorf("%+v, %v", resp, err)
		}
		req.CodeSHA256 = "other"
		var refused *Error
		if _, err := h.invoker.Invoke(t.Context(), req); !errors.As(err, &refused) || refused.Kind != KindInvalidParameter {
			t.Errorf("code that no revision has: %v", err)
		}
	})
}

// An alias moves to environments that are there, back at once, and not to a
// version that does not initialise.
func TestAliasMoves(t *testing.T) {
	h := newHouse(t, nil)
	h.create("f", python(), says(1, "")...)
	publish := func() string {
		t.Helper()
		h.until("f", updated)
		_, ver, err := h.catalog.PublishVersion(t.Context(), keyOf("f"), function.PublishInput{})
		if err != nil {
			t.Fatal(err)
		}
		return ver.Version
	}
	one := publish()
	h.begin("f", says(2, ""))
	two := publish()
	h.begin("f", []string{"lambda_function.py", "import no_such_module"}) // nothing of $LATEST runs: it is not tried
	broken := publish()
	if _, _, err := h.catalog.CreateAlias(t.Context(), keyOf("f"), function.AliasInput{Name: "live", Version: one}); err != nil {
		t.Fatal(err)
	}
	move := func(to string) error {
		t.Helper()
		_, a, err := h.catalog.UpdateAlias(t.Context(), keyOf("f"), "live", function.AliasChange{Version: &to})
		if err != nil {
			t.Fatal(err)
		}
		err = h.deploy.AwaitMove(t.Context(), keyOf("f"), "live", a.RevisionID)
		if err == nil {
			h.until("f", func(v *function.View) bool { return v.Aliases["live"].Moving == nil }) // on a busy machine it may take longer
		}
		return err
	}
	answers := func(version string) {
		t.Helper()
		if resp := h.ask("f", "live", ""); resp.ExecutedVersion != version || resp.Cold || resp.Stale || resp.FunctionError != "" {
			t.Errorf("live is answered by %s, not %s; cold %t, stale %t", resp.ExecutedVersion, version, resp.Cold, resp.Stale)
		}
	}
	h.ask("f", "live", "")
	for _, to := range []string{two, one, two} {
		if err := move(to); err != nil {
			t.Fatal(err)
		}
		answers(to)
	}
	if instances := h.workers.Instances(); len(instances) != 1 {
		t.Errorf("second environments stand in %d instances", len(instances))
	}
	if err := move(broken); !function.IsKind(err, function.Conflict) {
		t.Errorf("moved to a version that does not initialise: %v", err)
	}
	answers(two)
}
