package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthd/hearth/test/testnode"
)

const failingCode = "def handler(event, context):\n    raise ValueError('a bad version')\n"

// released makes a function whose version 1 answers and has the alias live, and
// a version 2 of other code.
func (u *tenant) released(t testing.TB, name string, second []byte) *function {
	t.Helper()
	f := u.create(t, spec{Name: name, Handler: "main.handler", Code: answers(t, "one"), Publish: true})
	f.next(t, second)
	return f
}

// next gives a function with one version the alias live, and another version.
func (f *function) next(t testing.TB, second []byte) {
	t.Helper()
	if _, err := f.lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: &f.name, ZipFile: second, Publish: true}); err != nil {
		t.Fatal(err)
	}
	f.waitUpdated(t, f.name)
	if _, err := f.lambda.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: &f.name, Name: aws.String("live"), FunctionVersion: aws.String("1")}); err != nil {
		t.Fatal(err)
	}
}

// callers invoke a function's alias live one after the other until they are
// stopped; stop says how many answers each version gave and how many failed.
func (f *function) callers(t testing.TB, n int) (stop func() (answered, failed map[string]int)) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	answered, failed := map[string]int{}, map[string]int{}
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				o, err := f.try(ctx, nil, at("live"))
				mu.Lock()
				switch {
				case ctx.Err() != nil:
				case err != nil:
					failed[err.Error()]++
				case o.FunctionError != "":
					failed[o.Version]++
				default:
					answered[o.Version]++
				}
				mu.Unlock()
			}
		})
	}
	var once sync.Once
	stop = func() (map[string]int, map[string]int) {
		once.Do(func() { cancel(); wg.Wait() })
		return maps.Clone(answered), maps.Clone(failed)
	}
	t.Cleanup(func() { stop() })
	return stop
}

// pointsAt tells where the alias live points.
func (f *function) pointsAt(t testing.TB) string {
	t.Helper()
	alias, err := f.lambda.GetAlias(t.Context(), &lambda.GetAliasInput{FunctionName: &f.name, Name: aws.String("live")})
	if err != nil {
		t.Fatal(err)
	}
	if alias.RoutingConfig != nil && len(alias.RoutingConfig.AdditionalVersionWeights) > 0 {
		return *alias.FunctionVersion + " and others"
	}
	return *alias.FunctionVersion
}

// rollout is what the command says about one in JSON.
type rollout struct {
	ID, State, Reason string
	Step              int
	Percent           float64
	Events            []struct{ Message string }
}

func (f *function) rollout(t testing.TB, args ...string) rollout {
	t.Helper()
	out, err := f.node.Hearth(t.Context(), f.key, append([]string{"rollout", "--json"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	var r rollout
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return r
}

// A good version goes through its steps and the hooks, and no request notices.
func TestRolloutOfAGoodVersion(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.released(t, "good", answers(t, "two"))
	hook := u.create(t, spec{Name: "agrees", Handler: "main.handler", Code: python(t, "def handler(event, context):\n    assert event['to'] == '2'\n    return {'status': 'Succeeded'}\n")})
	stop := f.callers(t, 2)
	out, err := u.node.Hearth(t.Context(), u.key, "rollout", "start", f.name, "--alias", "live", "--steps", "20%:2s,60%:2s",
		"--pre-hook", hook.name, "--post-hook", hook.name, "--guard", "none", "--guard", "errors=1%", "--watch")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"hook agrees agrees", "version 2 gets 20% of the requests for 2s", "version 2 gets 60%", "version 2 gets 100%", "alias live points at version 2"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the view does not say %q:\n%s", want, out)
		}
	}
	answered, failed := stop()
	if len(failed) > 0 || answered["1"] == 0 || answered["2"] == 0 {
		t.Errorf("answered %v, failed %v", answered, failed)
	}
	if at := f.pointsAt(t); at != "2" {
		t.Errorf("the alias points at %s", at)
	}
	history, err := u.node.Hearth(t.Context(), u.key, "rollout", "list", f.name)
	if err != nil || !strings.Contains(string(history), "good.live.1\tlive\t1\t2\tsucceeded\t100%") {
		t.Errorf("list prints %s (%v)", history, err)
	}
}

// A bad version is rolled back by itself, and few requests fail for it.
func TestRolloutOfABadVersion(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.released(t, "bad", python(t, failingCode))
	stop := f.callers(t, 2)
	out, err := u.node.Hearth(t.Context(), u.key, "rollout", "start", f.name, "--alias", "live", "--strategy", "canary10percent30minutes", "--watch")
	if err == nil || !strings.Contains(err.Error(), "was rolled-back: guard errors: of version 2") {
		t.Errorf("the command says %v\n%s", err, out)
	}
	answered, failed := stop()
	if n := failed["2"]; n == 0 || n > 25 || len(failed) > 1 {
		t.Errorf("failed %v, answered %v", failed, answered)
	}
	t.Logf("%d of %d requests failed", failed["2"], failed["2"]+answered["1"])
	if at := f.pointsAt(t); at != "1" {
		t.Errorf("the alias points at %s", at)
	}
}

// Pausing, resuming and aborting, by the command.
func TestRolloutByHand(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.released(t, "manual", answers(t, "two"))
	started := f.rollout(t, "start", f.name, "--alias", "live", "--strategy", "LambdaLinear10PercentEvery10Minutes")
	f.rolloutReaches(t, func(r rollout) bool { return r.State == "stepping" && r.Percent == 10 })
	if _, err := u.node.Hearth(t.Context(), u.key, "rollout", "start", f.name, "--alias", "live"); err == nil || !strings.Contains(err.Error(), "Conflict: roll-out manual.live.1") {
		t.Errorf("a second roll-out: %v", err)
	}
	if r := f.rollout(t, "pause", f.name); r.State != "paused" {
		t.Errorf("paused: %+v", r)
	}
	if r := f.rollout(t, "resume", started.ID); r.State != "stepping" {
		t.Errorf("resumed: %+v", r)
	}
	f.rollout(t, "abort", f.name)
	if r := f.rolloutReaches(t, func(r rollout) bool { return r.State == "aborted" }); r.Reason != "aborted by the user" {
		t.Errorf("aborted: %+v", r)
	}
	if at := f.pointsAt(t); at != "1" {
		t.Errorf("the alias points at %s", at)
	}
	for args, want := range map[string]string{
		"rollout status manuel":                             "Did you mean manual?",
		"rollout start manual --alias dev":                  "has no alias dev; it has live",
		"rollout start manual --alias live --strategy yolo": "there is no strategy \"yolo\"",
		"rollout pause manual.live.1":                       "has ended: aborted",
		"rollout status manual.live.9":                      "there is no roll-out manual.live.9",
	} {
		if _, err := u.node.Hearth(t.Context(), u.key, strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("hearth %s: %v, want %q", args, err, want)
		}
	}
	// Another account sees nothing of it.
	other := tenantOf(t, u.node)
	if out, err := u.node.Hearth(t.Context(), other.key, "rollout", "list", "--json"); err != nil || strings.TrimSpace(string(out)) != "[]" {
		t.Errorf("another account sees %s (%v)", out, err)
	}
}

// rolloutReaches waits until the function's roll-out is as wanted.
func (f *function) rolloutReaches(t testing.TB, wanted func(rollout) bool) rollout {
	t.Helper()
	deadline := time.Now().Add(waitWithin)
	for {
		r := f.rollout(t, "status", f.name)
		if wanted(r) {
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("the roll-out does not get there: %+v", r)
		}
		time.Sleep(50 * time.Millisecond) // the node has no other way to say so
	}
}

// A roll-out goes on where it was when its node was killed in the middle.
func TestRolloutSurvivesKill(t *testing.T) {
	t.Parallel()
	testnode.Require(t, testnode.Root)
	dir := t.TempDir()
	first := testnode.Start(t, testnode.Options{Dir: dir})
	u := tenantOf(t, first)
	f := &function{tenant: u, name: "lasting"}
	in := spec{Name: f.name, Handler: "main.handler", Code: answers(t, "one"), Publish: true}.input(t)
	if _, err := u.lambda.CreateFunction(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	u.waitActive(t, f.name)
	f.next(t, answers(t, "two"))
	started := f.rollout(t, "start", f.name, "--alias", "live", "--steps", "50%:10s,75%:1s")
	f.rolloutReaches(t, func(r rollout) bool { return r.Percent == 50 })
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	second := testnode.Start(t, testnode.Options{Dir: dir})
	f.tenant = &tenant{node: second, account: u.account, key: u.key, lambda: second.Lambda(u.key)}
	end := f.rolloutReaches(t, func(r rollout) bool { return r.State == "succeeded" })
	if end.ID != started.ID || f.pointsAt(t) != "2" {
		t.Errorf("ended as %+v, the alias points at %s", end, f.pointsAt(t))
	}
	n := 0
	for _, e := range end.Events {
		if strings.Contains(e.Message, "version 2 gets 50%") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the first step was begun %d times: %+v", n, end.Events)
	}
}

// An alias with provisioned concurrency keeps it through a roll-out.
func TestRolloutOfAProvisionedAlias(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.versions(t, "provisioned-rollout")
	f.alias(t, "live", "1")
	f.provision(t, "live", 1)
	f.provisioned(t, "live", 1)
	f.warmBy(t, "live", "1")
	f.rollout(t, "start", f.name, "--alias", "live", "--steps", "50%:1s", "--guard", "none")
	f.rolloutReaches(t, func(r rollout) bool { return r.State == "succeeded" })
	f.provisioned(t, "live", 1)
	f.warmBy(t, "live", "2")
}

// A version that does not even initialise gets no request that fails.
func TestRolloutOfAVersionThatDoesNotStart(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "stillborn", Handler: "main.handler", Code: answers(t, "one"), Publish: true})
	f.next(t, python(t, "def handler(event, context):\n    return 1\nraise ValueError('at import')\n"))
	f.invoke(t, nil, at("live"))
	stop := f.callers(t, 2)
	f.rollout(t, "start", f.name, "--alias", "live", "--strategy", "canary50percent30minutes")
	r := f.rolloutReaches(t, func(r rollout) bool { return r.State == "rolled-back" })
	answered, failed := stop()
	if len(failed) > 0 || answered["1"] == 0 || !strings.Contains(r.Reason, "version 2 does not work") {
		t.Errorf("%s; answered %v, failed %v", r.Reason, answered, failed)
	}
	if at := f.pointsAt(t); at != "1" {
		t.Errorf("the alias points at %s", at)
	}
}
