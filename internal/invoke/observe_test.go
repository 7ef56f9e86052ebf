package invoke

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hearthd/hearth/internal/function"
)

// Who observes a function is told how each of its invocations went, and nobody
// is told anything once nobody observes.
func TestObserve(t *testing.T) {
	h := newHouse(t, nil)
	config := python()
	config.TimeoutSec = 1
	h.create("seen", config, "lambda_function.py", `
import time
def handler(event, context):
    if event == "hang": time.sleep(30)
    if event == "fail": raise ValueError(event)
    return event
`)
	var got []Observation
	key := function.Key{Account: testAccount, Name: "seen"}
	stop := h.invoker.Observe(key, func(o *Observation) { got = append(got, *o) })
	other := h.invoker.Observe(key, func(*Observation) {})
	began := time.Now()
	for _, payload := range []string{`"fine"`, `"fail"`, `"hang"`} {
		h.invoke("seen", payload) // with the log, so that it is complete when we have the answer
	}
	stop()
	h.invoke("seen", `"unseen"`)
	if len(got) != 3 {
		t.Fatalf("observed %+v", got)
	}
	for i, want := range []Observation{{First: true}, {Failed: true}, {Failed: true, TimedOut: true}} {
		o := got[i]
		if o.First != want.First || o.Failed != want.Failed || o.TimedOut != want.TimedOut {
			t.Errorf("observation %d is %+v", i, o)
		}
		if o.Version != function.Latest || o.Qualifier != "" || o.FunctionID == "" || o.Began.Before(began) || o.Duration <= 0 {
			t.Errorf("observation %d is %+v", i, o)
		}
	}
	if slices.ContainsFunc(got[:2], func(o Observation) bool { return o.Peak < 1<<20 }) {
		t.Errorf("without a peak: %+v", got)
	}
	other()
	if h.invoker.observers.list.Load() != nil {
		t.Error("nobody observes, and the invoker does not know")
	}
}

// An initialisation that fails is an invocation that failed.
func TestObserveFailedInit(t *testing.T) {
	h := newHouse(t, nil)
	h.create("broken", python(), "lambda_function.py", "raise ValueError('at import')\n")
	var got []Observation
	h.invoker.Observe(function.Key{Account: testAccount, Name: "broken"}, func(o *Observation) { got = append(got, *o) })
	if _, err := h.invoker.Invoke(t.Context(), &Request{Account: testAccount, Name: "broken", RequestID: uuid.NewString(), Payload: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || !got[0].Failed || !got[0].First {
		t.Errorf("observed %+v", got)
	}
}
