package deploy

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/function/functiontest"
)

// wish is one thing that the owner wanted to serve, of $LATEST or the alias.
type wish struct {
	number int
	what   string // code and memory, or the version
	served bool   // it has served
	failed bool
}

// history is what a user could know of a function: wishes in the order they
// were accepted, and what became of them.
type history struct {
	t      *rapid.T
	node   *node
	latest []*wish
	alias  []*wish
	// floor is the number of the last wish that was reported as served: what
	// came before must not answer any more.
	latestFloor, aliasFloor int
	waiting                 []*question
	ids                     map[string]string // of what served as $LATEST
	// As it was at the last look:
	serving string // what served as $LATEST, by its ID
	hot     bool   // it had environments
}

// question is a request that has not been answered yet.
type question struct {
	floor, wanted int // numbers of wishes when it came
	policy        function.UpdatePolicy
	own           bool // the policy is the request's own; the function's may change
	alias         bool
	came          time.Time
	done          chan struct{}
	choice        Choice
	err           error
}

func newHistory(t *rapid.T) *history {
	h := &history{t: t, node: &node{bucket: functiontest.NewBucket()}, ids: map[string]string{}}
	h.node.start(t)
	h.must(h.node.catalog.Create(context.Background(), theKey, function.CreateInput{
		Config:  function.Configuration{Runtime: "python3.12", Handler: "main.handler", Memory: 128},
		Package: function.Package{SHA256: "good-0", Size: 1},
	}))
	synctest.Wait()
	h.latest = []*wish{{number: 1, what: "good-0/128"}}
	_, _, err := h.node.catalog.PublishVersion(context.Background(), theKey, function.PublishInput{})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = h.node.catalog.CreateAlias(context.Background(), theKey, function.AliasInput{Name: "live", Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	h.alias = []*wish{{number: 1, what: "1"}}
	synctest.Wait()
	h.look()
	return h
}

func (h *history) end() {
	h.node.stop()
	for _, q := range h.waiting {
		<-q.done // time passes until the last of them has given up
	}
}

func (h *history) view() *function.View {
	v, ok := h.node.catalog.Lookup(theKey)
	if !ok {
		h.t.Fatal("the function is gone")
	}
	return v
}

func (h *history) must(v *function.View, err error) *function.View {
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

func what(r *function.Revision) string { return fmt.Sprintf("%s/%d", r.CodeSHA256, r.Config.Memory) }

// wished notes a wish for $LATEST that was accepted.
func (h *history) wished(v *function.View) {
	h.latest = append(h.latest, &wish{number: len(h.latest) + 1, what: what(v.Wanted)})
}

func (h *history) updateCode() {
	sha := rapid.SampledFrom([]string{"good-1", "good-2", "good-3", "bad-1", "bad-2"}).Draw(h.t, "sha")
	h.wished(h.must(h.node.catalog.UpdateCode(context.Background(), theKey, function.UpdateCodeInput{Package: function.Package{SHA256: sha, Size: 1}})))
}

func (h *history) updateConfig() {
	memory := rapid.SampledFrom([]function.MemoryMB{128, 256}).Draw(h.t, "memory")
	h.wished(h.must(h.node.catalog.UpdateConfig(context.Background(), theKey, "", func(c *function.Configuration) error {
		c.Memory = memory
		return nil
	})))
}

// updateToSeen goes back to something that had served, and checks that it
// serves at once where it still has environments.
func (h *history) updateToSeen() {
	v := h.view()
	seen := h.latest[rapid.IntRange(0, len(h.latest)-1).Draw(h.t, "wish")]
	sha, _, _ := strings.Cut(seen.what, "/")
	lives := h.node.world.Load(h.ids[fmt.Sprintf("%s/%d", sha, v.Wanted.Config.Memory)])
	v = h.must(h.node.catalog.UpdateCode(context.Background(), theKey, function.UpdateCodeInput{Package: function.Package{SHA256: sha, Size: 1}}))
	h.wished(v)
	synctest.Wait()
	if lives.Leaving && lives.Environments > 0 && v.Trigger() == function.OnUpdate {
		if now := h.view(); now.Status.Update != function.Successful {
			h.t.Fatalf("a way back to what has environments waits: %+v", now.Status)
		}
	}
}

func (h *history) publish() {
	_, _, err := h.node.catalog.PublishVersion(context.Background(), theKey, function.PublishInput{})
	if err != nil && !function.IsKind(err, function.Conflict) {
		h.t.Fatal(err)
	}
}

func (h *history) moveAlias() {
	v := h.view()
	numbers := v.VersionNumbers()
	to := strconv.Itoa(numbers[rapid.IntRange(0, len(numbers)-1).Draw(h.t, "version")])
	if to == v.Aliases["live"].Version {
		return
	}
	_, a, err := h.node.catalog.UpdateAlias(context.Background(), theKey, "live", function.AliasChange{Version: &to})
	if err != nil {
		h.t.Fatal(err)
	}
	h.alias = append(h.alias, &wish{number: len(h.alias) + 1, what: to})
	_ = a
}

func (h *history) policy() {
	p := rapid.SampledFrom([]string{"strict", "serve-previous", "serve-previous;max-staleness=3"}).Draw(h.t, "policy")
	tag := rapid.SampledFrom([]string{function.TagUpdatePolicy, function.TagUpdatePolicy + ":live"}).Draw(h.t, "tag")
	h.must(h.node.catalog.Tag(context.Background(), theKey, map[string]string{tag: p}))
}

func (h *history) trigger() {
	when := rapid.SampledFrom([]string{"update", "request"}).Draw(h.t, "when")
	h.must(h.node.catalog.Tag(context.Background(), theKey, map[string]string{function.TagUpdateTrigger: when}))
}

func (h *history) fill() {
	h.node.world.mu.Lock()
	h.node.world.full = !h.node.world.full
	h.node.world.mu.Unlock()
}

// crash is kill -9 and a start. What was asked before is lost with the node.
func (h *history) crash() {
	h.node.stop()
	for _, q := range h.waiting {
		<-q.done
	}
	h.waiting, h.hot = nil, false
	h.node.start(h.t)
	if left := deploymentsOf(h.view()); len(left) > 0 {
		h.t.Fatalf("nothing has environments, and yet these deployments wait: %v", left)
	}
}

func (h *history) request()      { h.ask("") }
func (h *history) requestAlias() { h.ask("live") }

// ask sends a request. It is answered at once, or by a later look.
func (h *history) ask(qualifier string) {
	v := h.view()
	header := rapid.SampledFrom([]string{"", "", "strict", "serve-previous", "serve-previous;max-staleness=2"}).Draw(h.t, "header")
	q := &question{floor: h.latestFloor, wanted: len(h.latest), alias: qualifier != "", came: time.Now(), done: make(chan struct{})}
	if q.alias {
		q.floor, q.wanted = h.aliasFloor, len(h.alias)
	}
	q.policy = v.UpdatePolicy(qualifier)
	if header != "" {
		q.policy, _ = function.ParseUpdatePolicy(header)
		q.own = true
	}
	manager := h.node.manager
	go func() {
		defer close(q.done)
		q.choice, q.err = manager.Choose(context.Background(), Request{View: v, Qualifier: qualifier, Policy: header})
	}()
	synctest.Wait()
	h.waiting = append(h.waiting, q)
	if _, waits := deploymentsOf(h.view())[qualifier]; waits && len(h.node.world.boots) == 0 && !h.node.world.stumbled {
		h.t.Fatal("a request came, and what it asks for is not prepared")
	}
	if q.policy == function.ServePrevious && !q.answered() {
		h.t.Fatal("a request waits that may be answered by the previous revision")
	}
}

func (q *question) answered() bool {
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}

// look notes what became of the wishes and checks the answers that came.
func (h *history) look() {
	h.note()
	h.waiting = slices.DeleteFunc(h.waiting, func(q *question) bool {
		if q.answered() {
			h.check(q)
			return true
		}
		return false
	})
	h.hot = h.node.world.Load(h.serving).Environments > 0
}

func (h *history) note() {
	v := h.view()
	if h.hot && v.Serving.ID != h.serving && h.node.world.Load(v.Serving.ID).Environments == 0 && !h.node.world.refused {
		h.t.Fatalf("requests go to %s, which has no environment, and the one before had", what(v.Serving))
	}
	h.serving = v.Serving.ID
	h.ids[what(v.Serving)] = v.Serving.ID
	last := h.latest[len(h.latest)-1]
	switch v.Status.Update {
	case function.Successful:
		if v.Serving.ID != v.Wanted.ID || what(v.Serving) != last.what {
			h.t.Fatalf("successful, and %s serves, not %s", what(v.Serving), last.what)
		}
		last.served, h.latestFloor = true, last.number
	case function.Failed:
		if !strings.HasPrefix(last.what, "bad") && v.Status.UpdateReasonCode != "InternalError" {
			h.t.Fatalf("%s failed: %+v", last.what, v.Status)
		}
		if strings.HasPrefix(last.what, "bad") && v.Status.UpdateReasonCode != "FunctionError.RuntimeInitError" && v.Status.UpdateReasonCode != "InternalError" {
			h.t.Fatalf("failed with reason code %s", v.Status.UpdateReasonCode)
		}
		last.failed = true
	}
	a := v.Aliases["live"]
	to := h.alias[len(h.alias)-1]
	switch {
	case a.Moving != nil:
		if a.Version != to.what {
			h.t.Fatalf("moves to %s, not %s", a.Version, to.what)
		}
	case a.Refused != nil && !to.failed:
		to.failed = true
		h.alias = append(h.alias, &wish{number: len(h.alias) + 1, what: a.Version, served: true})
		h.aliasFloor = 0
		for _, w := range h.alias {
			if w.served && w.what == a.Version {
				h.aliasFloor = w.number
			}
		}
	case a.Version != to.what:
		h.t.Fatalf("the alias is at %s, not %s", a.Version, to.what)
	default:
		to.served, h.aliasFloor = true, to.number
	}
}

// check holds an answer against the promises.
func (h *history) check(q *question) {
	if q.err != nil {
		h.t.Fatalf("a request failed because of a deployment: %v", q.err)
	}
	c := q.choice
	wishes, is := h.latest, what(c.Revision)
	if q.alias {
		wishes, is = h.alias, c.Version
	}
	h.node.world.answered(c.Revision.ID, rapid.IntRange(1, 4).Draw(h.t, "busy"))
	number, served := 0, false
	for _, w := range wishes {
		if w.what == is {
			number, served = w.number, served || w.served
		}
	}
	waited := time.Since(q.came) >= waitFor
	stuck := slices.ContainsFunc(wishes[q.wanted-1:], func(w *wish) bool { return w.failed })
	switch {
	case number == 0:
		h.t.Fatalf("%s answered, which nobody ever wanted", is)
	case !served:
		h.t.Fatalf("%s answered, which never became ready", is)
	case number < q.floor:
		h.t.Fatalf("%s answered (%d) after %d was successful", is, number, q.floor)
	case c.Stale != (c.Revision.ID != c.Wanted.ID):
		h.t.Fatalf("stale %t, but %s answered and %s is wanted", c.Stale, c.Revision.ID, c.Wanted.ID)
	case q.policy == function.Strict && q.own && number < q.wanted && !stuck && !waited:
		h.t.Fatalf("%s answered (%d) a strict request, which wants %d", is, number, q.wanted)
	}
}

// settle lets everything come to its end and checks that the last wish won.
func (h *history) settle() {
	h.must(h.node.catalog.Tag(context.Background(), theKey, map[string]string{function.TagUpdateTrigger: "update"}))
	time.Sleep(lookAgain)
	for range 1000 {
		synctest.Wait()
		h.look()
		if !h.node.world.finish(0) && len(deploymentsOf(h.view())) == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if left := deploymentsOf(h.view()); len(left) > 0 {
		h.t.Fatalf("deployments that do not come to an end: %v", left)
	}
	if len(h.waiting) > 0 {
		h.t.Fatalf("%d requests wait for deployments that have ended", len(h.waiting))
	}
}
