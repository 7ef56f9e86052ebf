package e2e

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/hearthd/hearth/test/testnode"
)

// An idle environment is frozen, thawed by the next invocation, and ended in
// the end.
func TestIdleEnvironments(t *testing.T) {
	t.Parallel()
	node := testnode.Start(t, testnode.Options{Args: []string{"--freeze-after", "100ms", "--idle-for", "3s"}})
	u := tenantOf(t, node)
	f := u.create(t, spec{Name: "idler", Handler: "ends.echo"})
	var before, after calm
	f.answer(t, beCalm, &before)
	u.eventually(t, "the environment is frozen", func() bool {
		all := u.environments(t, f.name)
		return len(all) == 1 && all[0].State == "frozen"
	})
	f.answer(t, beCalm, &after)
	if before.Environment != after.Environment {
		t.Error("the frozen environment was not used")
	}
	u.eventually(t, "the environment is ended", func() bool { return len(u.environments(t, f.name)) == 0 })
	f.answer(t, beCalm, &after)
	if before.Environment == after.Environment {
		t.Error("an environment that was ended answers")
	}
}

// eventually waits until something is so that nobody announces.
func (u *tenant) eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitWithin)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("it never came to be that %s", what)
		case <-tick.C:
		}
	}
}

// A full node makes requests wait for a bounded time, and then says so in a
// way that clients retry; when there is room again, it goes on.
func TestFullNode(t *testing.T) {
	t.Parallel()
	node := testnode.Start(t, testnode.Options{Args: []string{"--memory", "512", "--pool-floor", "0", "--pool-ceiling", "0", "--queue-for", "500ms"}})
	u := tenantOf(t, node)
	f := u.create(t, spec{Name: "crowded", Handler: "main.handler", Code: python(t, sleeper), Timeout: 30})
	var mu sync.Mutex
	var wg sync.WaitGroup
	ran, full := 0, 0
	for range 7 {
		wg.Go(func() {
			o, err := f.try(context.WithoutCancel(t.Context()), map[string]float64{"seconds": 4})
			mu.Lock()
			defer mu.Unlock()
			var response *awshttp.ResponseError
			switch {
			case err == nil && o.FunctionError == "":
				ran++
			case errors.As(err, &response) && response.HTTPStatusCode() == http.StatusServiceUnavailable && strings.Contains(err.Error(), "ServiceException"):
				full++
				if response.Response.Header.Get("Retry-After") == "" {
					t.Errorf("the answer does not say when to try again")
				}
			default:
				t.Errorf("%v %s %s", err, o.FunctionError, o.Payload)
			}
		})
	}
	wg.Wait()
	if ran != 4 || full != 3 {
		t.Errorf("%d invocations ran and %d found the node full: in 512 MB there is room for 4 of 128 MB", ran, full)
	}
	// Idle environments make room for other functions.
	other := u.create(t, spec{Name: "newcomer", Memory: 384})
	if o := other.invoke(t, map[string]int{"n": 1}); o.FunctionError != "" {
		t.Errorf("the newcomer: %s", o.Payload)
	}
}

// More clients than a full node has room for take turns: nothing of the
// function's own ends so that something else of it can be booted.
func TestFullNodeKeepsItsEnvironments(t *testing.T) {
	t.Parallel()
	node := testnode.Start(t, testnode.Options{Args: []string{"--memory", "512", "--pool-floor", "0", "--pool-ceiling", "0"}})
	u := tenantOf(t, node)
	f := u.create(t, spec{Name: "popular", Handler: "main.handler", Code: python(t, waiter), Timeout: 30})
	var mu sync.Mutex
	var wg sync.WaitGroup
	environments := map[string]int{}
	for range 6 {
		wg.Go(func() {
			for range 150 {
				o, err := f.try(context.WithoutCancel(t.Context()), nil)
				if err != nil || o.FunctionError != "" {
					t.Errorf("%v %s %s", err, o.FunctionError, o.Payload)
					return
				}
				mu.Lock()
				environments[string(o.Payload)]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(environments) > 4 {
		t.Errorf("%d environments answered, and there is room for 4: %v", len(environments), environments)
	}
}

// waiter takes 2 ms and tells which environment it runs in.
const waiter = `
import time

def handler(event, context):
    time.sleep(0.002)
    return context.log_stream_name
`

// Metrics are the root account's to read.
func TestMetrics(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "measured"})
	f.invoke(t, 1)
	read := func(key testnode.Credentials) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.node.URL+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := key.Sign(t.Context(), request, nil); err != nil {
			t.Fatal(err)
		}
		return fetch(t, request)
	}
	status, text := read(u.node.Root)
	if status != http.StatusOK || !strings.Contains(text, `function="measured"`) || !strings.Contains(text, "hearth_") {
		t.Errorf("%d %.300s", status, text)
	}
	if strings.Contains(text, u.key.Secret) || strings.Contains(text, u.node.Root.Secret) {
		t.Error("a secret is among the metrics")
	}
	if status, text := read(u.key); status != http.StatusForbidden {
		t.Errorf("another account reads the metrics: %d %.100s", status, text)
	}
}
