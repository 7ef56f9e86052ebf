package sizing

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/state"
)

// house is the rooms that sizing works with, real ones.
type house struct {
	testing.TB
	dir     string
	store   *state.Store
	catalog *function.Catalog
	sizing  *Sizing
	options Options
	at      time.Time // of the next execution
}

func newHouse(tb testing.TB, o Options) *house {
	tb.Helper()
	h := &house{TB: tb, dir: tb.TempDir(), options: o, at: monday}
	h.open()
	tb.Cleanup(h.close)
	return h
}

func (h *house) open() {
	h.Helper()
	var err error
	if h.store, err = state.Open(h.Context(), state.Options{Dir: h.dir}); err != nil {
		h.Fatal(err)
	}
	if h.catalog, err = function.Open(h.Context(), h.store, function.Options{Region: "us-east-1"}); err != nil {
		h.Fatal(err)
	}
	if h.sizing, err = Open(h.Context(), Rooms{h.store, h.catalog}, h.options); err != nil {
		h.Fatal(err)
	}
}

func (h *house) close() {
	if err := errors.Join(h.sizing.Close(), h.catalog.Close(), h.store.Close()); err != nil {
		h.Error(err)
	}
}

func (h *house) restart() {
	h.Helper()
	h.close()
	h.open()
}

// kill ends sizing as a crash would: what it did not write is lost.
func (h *house) kill() {
	h.Helper()
	h.sizing.mu.Lock()
	h.sizing.functions = map[function.Key]*family{}
	h.sizing.mu.Unlock()
	h.restart()
}

var hello = function.Key{Account: "123456789012", Name: "hello"}

func (h *house) create(memory function.MemoryMB, tags map[string]string) *function.View {
	h.Helper()
	v, err := h.catalog.Create(h.Context(), hello, function.CreateInput{
		Config:  function.Configuration{Runtime: "python3.13", Handler: "f.handler", Memory: memory},
		Package: function.Package{SHA256: "one", Size: 1}, Tags: tags,
	})
	if err != nil {
		h.Fatal(err)
	}
	return h.complete(v)
}

func (h *house) complete(v *function.View) *function.View {
	h.Helper()
	v, err := h.catalog.CompleteUpdate(h.Context(), hello, v.Wanted.ID)
	if err != nil {
		h.Fatal(err)
	}
	return v
}

func (h *house) view() *function.View {
	h.Helper()
	v, err := h.catalog.Get(hello)
	if err != nil {
		h.Fatal(err)
	}
	return v
}

// call is n executions that use so much memory, and die where they may not.
func (h *house) call(n int, mb int64) {
	h.Helper()
	v := h.view()
	for range n {
		h.at = h.at.Add(time.Minute)
		a, probe := h.sizing.Amount(v, v.Serving)
		e := Execution{At: h.at, Amount: a, Peak: mb << 20, Probe: probe, CPU: time.Millisecond, Duration: 20 * time.Millisecond}
		if mb > int64(a.Memory) {
			e.Outcome, e.Peak = OutOfMemory, int64(a.Memory)<<20
		}
		h.sizing.Observe(v, v.Serving, e)
	}
}

func (h *house) amount() function.MemoryMB {
	v := h.view()
	a, _ := h.sizing.Amount(v, v.Serving)
	return a.Memory
}

// until waits for something that the keeper does in the background.
func (h *house) until(what string, done func() bool) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			h.Fatalf("in vain: %s; the amount is %d MB", what, h.amount())
		case <-tick.C:
		}
	}
}

// settle calls until the amount is what it leads to.
func (h *house) settle(mb int64, low, high function.MemoryMB) {
	h.Helper()
	h.until("the amount goes where use leads it", func() bool {
		h.call(50, mb)
		a := h.amount()
		return low <= a && a <= high
	})
}

func TestApplyGivesWhatIsNeededAndKeepsIt(t *testing.T) {
	h := newHouse(t, Options{})
	h.create(1024, applied)
	if got := h.amount(); got != 1024 {
		t.Errorf("before anything is known: %d MB", got)
	}
	h.settle(150, 152, 176)
	if v := h.view(); v.Serving.Config.Memory != 1024 {
		t.Error("what the owner asked for was changed")
	}
	was := h.amount()
	h.kill()
	if got := h.amount(); got != was {
		t.Errorf("after a crash %d MB, before it %d MB: a decision in force was not durable", got, was)
	}
	h.settle(300, 312, 500) // up again, from what was learned
	report, err := h.sizing.Report(t.Context(), h.view(), h.view().Serving)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.History) < 4 || report.EffectiveMB != h.amount() || report.AskedMB != 1024 || report.Mode != "apply" {
		t.Errorf("%+v", report)
	}
}

func TestRecommendChangesNothing(t *testing.T) {
	h := newHouse(t, Options{})
	h.create(1024, nil)
	h.call(500, 150)
	var report Report
	h.until("there is a recommendation", func() bool {
		var err error
		report, err = h.sizing.Report(t.Context(), h.view(), h.view().Serving)
		return err == nil && report.RecommendedMB < 1024
	})
	if h.amount() != 1024 || report.EffectiveMB != 1024 || report.Saving.Percent < 50 || report.Reason == "" {
		t.Errorf("%d MB in force; %+v", h.amount(), report)
	}
	if _, short := h.sizing.Suggested(h.view(), h.view().Serving); short {
		t.Error("more was suggested")
	}
	h.call(1, 1100) // dies
	if mb, short := h.sizing.Suggested(h.view(), h.view().Serving); !short || mb != 1536 {
		t.Errorf("%d MB are suggested, %t", mb, short)
	}
	// The owner lets it be applied, later: what was learned is used at once.
	if _, err := h.catalog.Tag(t.Context(), hello, applied); err != nil {
		t.Fatal(err)
	}
	h.until("it is applied without another execution", func() bool { return h.amount() > 1024 })
}

func TestOffLearnsNothing(t *testing.T) {
	h := newHouse(t, Options{})
	h.create(1024, map[string]string{TagMode: "off"})
	h.call(500, 150)
	if _, err := h.sizing.Report(t.Context(), h.view(), h.view().Serving); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

func TestEvidenceSurvivesAStop(t *testing.T) {
	h := newHouse(t, Options{})
	h.create(1024, nil)
	h.call(300, 150)
	h.restart()
	report, err := h.sizing.Report(t.Context(), h.view(), h.view().Serving)
	if err != nil || report.Executions != 300 || report.RecommendedMB > 200 {
		t.Errorf("%+v, %v", report, err)
	}
	h.call(10, 400)
	h.until("what is stored and what is new are one", func() bool {
		report, err := h.sizing.Report(t.Context(), h.view(), h.view().Serving)
		return err == nil && report.Executions == 310 && report.Use.HighestMB == 400
	})
}

func TestANewReleaseBeginsWhereTheLastOneWas(t *testing.T) {
	h := newHouse(t, Options{})
	h.create(1024, applied)
	h.settle(150, 152, 176)
	was := h.amount()
	v, err := h.catalog.UpdateCode(t.Context(), hello, function.UpdateCodeInput{Package: function.Package{SHA256: "two", Size: 1}})
	if err != nil {
		t.Fatal(err)
	}
	v = h.complete(v)
	h.until("the new release is given a little more", func() bool { return h.amount() > was && h.amount() < 2*was })
	was = h.amount()
	h.call(1, 150)
	report, err := h.sizing.Report(t.Context(), v, v.Serving)
	if err != nil || report.Executions != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	// A published version too.
	if v, _, err = h.catalog.PublishVersion(t.Context(), hello, function.PublishInput{}); err != nil {
		t.Fatal(err)
	}
	one := &v.Versions["1"].Revision
	h.until("version 1 is given at least what $LATEST has", func() bool {
		h.at = h.at.Add(time.Minute)
		a, _ := h.sizing.Amount(v, one)
		h.sizing.Observe(v, one, Execution{At: h.at, Amount: a, Peak: 150 << 20})
		return a.Memory >= was && a.Memory < 2*was
	})
}

func TestAnotherMemorySizeIsTriedAsItStands(t *testing.T) {
	h := newHouse(t, Options{})
	h.create(1024, applied)
	h.settle(150, 152, 176)
	v, err := h.catalog.UpdateConfig(t.Context(), hello, "", func(c *function.Configuration) error { c.Memory = 768; return nil })
	if err != nil {
		t.Fatal(err)
	}
	h.complete(v)
	if got := h.amount(); got != 768 {
		t.Errorf("%d MB", got)
	}
	h.settle(150, 152, 176)
}

func TestResetBeginsAnew(t *testing.T) {
	h := newHouse(t, Options{})
	v := h.create(1024, applied)
	h.settle(150, 152, 176)
	if err := h.sizing.Reset(t.Context(), v, v.Serving); err != nil {
		t.Fatal(err)
	}
	if got := h.amount(); got != 1024 {
		t.Errorf("%d MB", got)
	}
	h.restart()
	if got := h.amount(); got != 1024 {
		t.Errorf("after a restart %d MB", got)
	}
}

func TestADeletedFunctionIsForgotten(t *testing.T) {
	h := newHouse(t, Options{})
	v := h.create(1024, applied)
	h.settle(150, 152, 176)
	key := recordKey(v.FunctionID, function.Latest)
	if err := h.catalog.Delete(t.Context(), hello, ""); err != nil {
		t.Fatal(err)
	}
	h.until("its records are removed", func() bool {
		_, one := h.sizing.decisions.Get(t.Context(), key)
		_, two := h.sizing.evidence.Get(t.Context(), key)
		return errors.Is(one, state.ErrNotFound) && errors.Is(two, state.ErrNotFound)
	})
	h.create(1024, applied)
	if got := h.amount(); got != 1024 {
		t.Errorf("another one of the same name has %d MB", got)
	}
}

func TestProbesDrawTheCurve(t *testing.T) {
	h := newHouse(t, Options{})
	h.create(1024, map[string]string{TagMode: "apply", TagProbe: "0.1"})
	h.until("three amounts of CPU were measured", func() bool {
		h.call(50, 90)
		c, err := h.sizing.Explain(t.Context(), h.view(), h.view().Serving)
		measured := 0
		for _, p := range c.Points {
			if p.Measured {
				measured++
			}
		}
		return err == nil && measured >= 2
	})
}

// receiver is a webhook that fails a few times first.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	fails  int
	events []Event
}

func newReceiver(t *testing.T, fails int) *receiver {
	r := &receiver{fails: fails}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.fails > 0 {
			r.fails--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var e Event
		b, err := io.ReadAll(req.Body)
		if err != nil || json.Unmarshal(b, &e) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.events = append(r.events, e)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) got(kind string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Type == kind {
			return true
		}
	}
	return false
}

func TestOwnersAreToldAtLeastOnce(t *testing.T) {
	r := newReceiver(t, 1)
	h := newHouse(t, Options{PrivateWebhooks: true})
	h.create(512, map[string]string{TagMode: "apply", TagNotify: r.URL})
	h.call(200, 90)
	h.until("the adjustment is told", func() bool { return r.got(EventAdjustment) })
	h.until("repeated failure is told", func() bool {
		h.call(1, 20_000)
		return r.got(EventFailures)
	})
}

func TestEventsSurviveACrash(t *testing.T) {
	r := newReceiver(t, 1_000_000)
	h := newHouse(t, Options{Notify: r.URL})
	h.create(1024, nil)
	h.call(200, 90)
	h.until("it was tried", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.fails < 1_000_000
	})
	h.kill()
	r.mu.Lock()
	r.fails = 0
	r.mu.Unlock()
	h.until("the recommendation is told", func() bool { return r.got(EventRecommendation) })
}

func TestEventsGoToFunctions(t *testing.T) {
	calls := make(chan []byte, 16)
	h := newHouse(t, Options{Invoke: func(_ context.Context, target function.Key, qualifier string, payload []byte) error {
		if target.Name != "alarm" || target.Account != hello.Account || qualifier != "live" {
			t.Errorf("%v:%s", target, qualifier)
		}
		calls <- payload
		return nil
	}})
	h.create(1024, map[string]string{TagNotify: "alarm:live"})
	h.call(200, 90)
	select {
	case payload := <-calls:
		var e Event
		if err := json.Unmarshal(payload, &e); err != nil || e.Type != EventRecommendation || e.ToMB != 128 || e.AskedMB != 1024 || e.Function != "hello" {
			t.Errorf("%s, %v", payload, err)
		}
	case <-time.After(time.Minute):
		t.Fatal("nobody was called")
	}
}

// An owner's webhook cannot reach the node's own network.
func TestOwnersWebhooksReachPublicAddressesOnly(t *testing.T) {
	for _, address := range []string{"127.0.0.1:80", "10.1.2.3:80", "169.254.169.254:80", "192.168.0.1:443", "[::1]:80", "[fd00::1]:80", "100.64.1.1:80", "0.0.0.0:80", "[::ffff:127.0.0.1]:80"} {
		if onlyPublic("tcp", address, nil) == nil {
			t.Errorf("%s is let through", address)
		}
	}
	if err := onlyPublic("tcp", "93.184.215.14:443", nil); err != nil {
		t.Error(err)
	}
}
