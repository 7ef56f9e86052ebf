package invoke

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/worker"
)

// eater holds as many MB as the event says, for good with "keep", and answers
// with what it was told of its memory.
const eater = `
import os
count = 0
kept = []
def handler(event, context):
    global count
    count += 1
    held = [bytearray(1 << 20) for _ in range(event.get("eat", 0))]
    if event.get("keep"):
        kept.append(held)
    if event.get("free"):
        kept.clear()
    return "%s %s %d" % (os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], context.memory_limit_in_mb, count)
`

func (h *house) tag(name string, tags map[string]string) {
	h.t.Helper()
	if _, err := h.catalog.Tag(h.t.Context(), function.Key{Account: testAccount, Name: name}, tags); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) createEater(name string, memory function.MemoryMB, tags map[string]string) {
	h.t.Helper()
	config := python()
	config.Memory, config.TimeoutSec = memory, 60
	h.create(name, config, "lambda_function.py", eater)
	if tags != nil {
		h.tag(name, tags)
	}
}

func (h *house) invokeWith(name, payload, memorySize string) (*Response, error) {
	h.t.Helper()
	resp, err := h.invoker.Invoke(h.t.Context(), &Request{
		Account: testAccount, Name: name, RequestID: uuid.NewString(), Payload: []byte(payload), Tail: true, MemorySize: memorySize,
	})
	return resp, err
}

// A request may bring an amount of its own. The environment gets it in place,
// and the function sees it.
func TestRequestsBringAmounts(t *testing.T) {
	h := newHouse(t, nil)
	h.createEater("f", 512, nil)
	for n, c := range []struct {
		wants string
		got   int
	}{{"", 512}, {"256", 256}, {"300", 300}, {"", 512}, {"128", 128}, {"128", 128}} {
		resp, err := h.invokeWith("f", "{}", c.wants)
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(`"%d %d %d"`, c.got, c.got, n+1); string(resp.Payload) != want || int(resp.Memory) != c.got {
			t.Errorf("%q: answer %s with %d MB, want %s", c.wants, resp.Payload, resp.Memory, want)
		}
		if want := fmt.Sprintf("\tMemory Size: %d MB\t", c.got); !strings.Contains(string(resp.Tail), want) {
			t.Errorf("the log lacks %q: %s", want, resp.Tail)
		}
	}
	for _, wants := range []string{"127", "513", "0", "-1", "x", "256.0", "99999999999999999999"} {
		_, err := h.invokeWith("f", "{}", wants)
		var refused *Error
		if !errors.As(err, &refused) || refused.Kind != KindInvalidParameter {
			t.Errorf("%q: %v", wants, err)
		}
	}
	h.tag("f", map[string]string{"hearth:sizing-max": "1024", "hearth:sizing-min": "256"})
	if resp, err := h.invokeWith("f", "{}", "1024"); err != nil || resp.Memory != 1024 {
		t.Errorf("within the bounds of tags: %+v, %v", resp, err)
	}
	if _, err := h.invokeWith("f", "{}", "255"); err == nil {
		t.Error("below the bound of a tag")
	}
}

// A first environment may be asked for with more than the function has.
func TestAColdStartHasTheAmountOfItsRequest(t *testing.T) {
	h := newHouse(t, nil)
	h.createEater("f", 128, map[string]string{"hearth:sizing-max": "512"})
	resp, err := h.invokeWith("f", `{"eat": 300}`, "512")
	if err != nil || string(resp.Payload) != `"512 512 1"` {
		t.Errorf("%+v, %v", resp, err)
	}
}

// What is in use is not taken away: the environment keeps more than the request
// wants, and says so.
func TestMemoryInUseIsKept(t *testing.T) {
	h := newHouse(t, nil)
	h.createEater("f", 512, nil)
	h.invoke("f", `{"eat": 200, "keep": true}`)
	resp, err := h.invokeWith("f", "{}", "128")
	if err != nil || resp.Memory != 512 || string(resp.Payload) != `"512 512 2"` {
		t.Errorf("%+v, %v", resp, err)
	}
	h.invoke("f", `{"free": true}`)
	if resp, err := h.invokeWith("f", `{"eat": 50}`, "256"); err != nil || resp.FunctionError != "" {
		t.Errorf("%+v, %v", resp, err)
	}
}

// An execution that needs half as much again as it has gets it while it runs,
// where the owner lets amounts be applied; else it ends as in Lambda.
func TestRunningEnvironmentGrows(t *testing.T) {
	h := newHouse(t, nil)
	h.createEater("grows", 128, map[string]string{"hearth:sizing": "apply"})
	resp := h.invoke("grows", `{"eat": 192}`)
	if resp.FunctionError != "" || resp.Memory < 200 || resp.Memory > 256 {
		t.Errorf("%s %s with %d MB", resp.FunctionError, resp.Payload, resp.Memory)
	}
	if want := fmt.Sprintf("\tMemory Size: %d MB\t", resp.Memory); !strings.Contains(string(resp.Tail), want) {
		t.Errorf("the log lacks %q: %s", want, resp.Tail)
	}
	for _, mode := range []string{"off", "recommend"} {
		h.createEater(mode, 128, map[string]string{"hearth:sizing": mode})
		resp := h.invoke(mode, `{"eat": 192}`)
		if !strings.Contains(string(resp.Payload), `"Runtime.OutOfMemory"`) || !strings.Contains(string(resp.Payload), "signal: killed") || resp.Memory != 128 {
			t.Errorf("%s: %s with %d MB", mode, resp.Payload, resp.Memory)
		}
	}
}

// Growth has bounds: what an execution began with, the owner's, and the room
// that there is.
func TestGrowthIsBounded(t *testing.T) {
	h := newHouse(t, nil)
	h.createEater("twice", 128, map[string]string{"hearth:sizing": "apply", "hearth:sizing-max": "1024"})
	h.createEater("max", 256, map[string]string{"hearth:sizing": "apply", "hearth:sizing-max": "300"})
	for name, eat := range map[string]int{"twice": 350, "max": 350} {
		resp := h.invoke(name, fmt.Sprintf(`{"eat": %d}`, eat))
		if !strings.Contains(string(resp.Payload), `"Runtime.OutOfMemory"`) || resp.Memory > 300 {
			t.Errorf("%s: %s with %d MB", name, resp.Payload, resp.Memory)
		}
	}
}

func TestGrowthNeedsRoom(t *testing.T) {
	const node = 384
	h := newHouse(t, func(s *settings) { s.memoryMB = node })
	h.createEater("f", 1024, map[string]string{"hearth:sizing": "apply"})
	resp, err := h.invokeWith("f", `{"eat": 500}`, "128")
	if err != nil || !strings.Contains(string(resp.Payload), `"Runtime.OutOfMemory"`) || resp.Memory > node {
		t.Errorf("%+v, %v", resp, err)
	}
}

// What an execution was grown by is given back once it rests.
func TestGrownEnvironmentShrinks(t *testing.T) {
	h := newHouse(t, nil)
	h.createEater("f", 128, map[string]string{"hearth:sizing": "apply", "hearth:sizing-max": "256"})
	first := h.invoke("f", `{"eat": 150}`)
	if first.FunctionError != "" {
		t.Fatalf("%s", first.Payload)
	}
	resp := h.invoke("f", `{}`)
	if resp.FunctionError != "" || !strings.HasSuffix(string(resp.Payload), ` 2"`) {
		t.Errorf("%s", resp.Payload)
	}
}

// An invocation that was ended for want of memory runs once more where its
// owner allows that; the caller sees one answer.
func TestRetryWithMoreMemory(t *testing.T) {
	h := newHouse(t, nil)
	for _, c := range []struct {
		name  string
		tags  map[string]string
		eat   int
		ran   int64 // all but the last are repeated
		fails bool
	}{
		{"allowed", map[string]string{"hearth:sizing": "off", TagRetryOnOOM: "true"}, 180, 2, false},
		{"in-vain", map[string]string{"hearth:sizing": "off", TagRetryOnOOM: "true"}, 400, 2, true},
		{"no-more", map[string]string{"hearth:sizing": "off", "hearth:sizing-max": "128", TagRetryOnOOM: "true"}, 180, 1, true},
		{"not-allowed", map[string]string{"hearth:sizing": "off"}, 180, 1, true},
	} {
		h.createEater(c.name, 128, c.tags)
		var ran, repeated atomic.Int64
		stop := h.invoker.Observe(function.Key{Account: testAccount, Name: c.name}, func(o *Observation) {
			ran.Add(1)
			if o.Repeated {
				repeated.Add(1)
			}
		})
		resp := h.invoke(c.name, fmt.Sprintf(`{"eat": %d}`, c.eat))
		stop()
		if failed := resp.FunctionError != ""; failed != c.fails || ran.Load() != c.ran || repeated.Load() != c.ran-1 {
			t.Errorf("%s: ran %d times and was repeated %d times, want %d: %s", c.name, ran.Load(), repeated.Load(), c.ran, resp.Payload)
		}
	}
}

// An initialisation that needs more is tried again as well.
func TestRetryOfAnInitialisation(t *testing.T) {
	h := newHouse(t, nil)
	config := python()
	config.Memory, config.TimeoutSec = 128, 60
	h.create("f", config, "lambda_function.py", "held = [bytearray(1 << 20) for _ in range(180)]\ndef handler(e, c): return len(held)\n")
	h.tag("f", map[string]string{"hearth:sizing": "off", TagRetryOnOOM: "true"})
	if resp := h.invoke("f", "{}"); string(resp.Payload) != "180" || resp.Memory != 256 {
		t.Errorf("%s %s with %d MB", resp.FunctionError, resp.Payload, resp.Memory)
	}
}

// Whatever was grown, shrunk and ended: in the end nothing is reserved.
func TestAmountsAreGivenBack(t *testing.T) {
	h := newHouse(t, nil)
	h.createEater("f", 256, map[string]string{"hearth:sizing": "apply", TagRetryOnOOM: "true"})
	for n, eat := range []int{10, 300, 10, 600, 20} {
		wants := ""
		if n%2 == 0 {
			wants = "128"
		}
		if _, err := h.invokeWith("f", fmt.Sprintf(`{"eat": %d}`, eat), wants); err != nil {
			t.Error(err)
		}
	}
	// The house looks when it is closed.
}

// A function that needs more to start than it has grows while it initialises.
func TestInitialisationGrows(t *testing.T) {
	h := newHouse(t, nil)
	config := python()
	config.Memory, config.TimeoutSec = 128, 60
	h.create("f", config, "lambda_function.py", "held = [bytearray(1 << 20) for _ in range(180)]\ndef handler(e, c): return len(held)\n")
	h.tag("f", map[string]string{"hearth:sizing": "apply"})
	if resp := h.invoke("f", "{}"); string(resp.Payload) != "180" || resp.Memory < 180 || resp.Memory > 256 {
		t.Errorf("%s %s with %d MB", resp.FunctionError, resp.Payload, resp.Memory)
	}
}

// An environment that rests, frozen, gets the amount that its function has by
// now without being asked for or started again.
func TestRestingEnvironmentIsResized(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.worker.FreezeAfter = 10 * time.Millisecond })
	h.createEater("f", 256, nil)
	if resp, err := h.invokeWith("f", "{}", "160"); err != nil || resp.Memory != 160 {
		t.Fatalf("%+v, %v", resp, err)
	}
	memory := func() (mb int, state string) {
		for _, i := range h.workers.View() {
			for _, e := range i.Environments {
				if e.Function == "f" {
					return e.MemoryMB, e.State
				}
			}
		}
		return 0, ""
	}
	deadline := time.Now().Add(time.Minute)
	for mb, state := memory(); mb != 256 || state != worker.StateFrozen; mb, state = memory() {
		if time.Now().After(deadline) {
			t.Fatalf("it has %d MB and is %s", mb, state)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if resp := h.invoke("f", "{}"); string(resp.Payload) != `"256 256 2"` {
		t.Errorf("%s", resp.Payload)
	}
}

// How far an execution may grow, and what a second try gets.
func TestBoundsOfGrowth(t *testing.T) {
	for _, c := range []struct {
		rule           string
		tags           map[string]string
		asked, has     function.MemoryMB
		node           function.MemoryMB
		ceiling, again function.MemoryMB // 0: none
	}{
		{"neither is asked for", nil, 1024, 256, 0, 0, 0},
		{"twice what it has", map[string]string{"hearth:sizing": "apply", TagRetryOnOOM: "true"}, 256, 256, 0, 512, 512},
		{"or what the owner asked for", map[string]string{"hearth:sizing": "apply", TagRetryOnOOM: "true"}, 1024, 256, 0, 1024, 1024},
		{"within the owner's bound", map[string]string{"hearth:sizing": "apply", "hearth:sizing-max": "300", TagRetryOnOOM: "true"}, 256, 256, 0, 300, 300},
		{"within the node's", map[string]string{"hearth:sizing": "apply", TagRetryOnOOM: "true"}, 256, 256, 400, 400, 400},
		{"growth only where it is applied", map[string]string{TagRetryOnOOM: "true"}, 256, 256, 0, 0, 512},
		{"no second try without more", map[string]string{"hearth:sizing-max": "256", TagRetryOnOOM: "true"}, 256, 256, 0, 0, 0},
		{"no second try when that is not wanted", map[string]string{"hearth:sizing": "apply", TagRetryOnOOM: "false"}, 256, 256, 0, 512, 0},
	} {
		t.Run(c.rule, func(t *testing.T) {
			a := Amounts{Most: c.node}
			view := &function.View{Tags: c.tags}
			rev := &function.Revision{Config: function.Configuration{Memory: c.asked}}
			if got := a.ceiling(view, rev, c.has); got != c.ceiling {
				t.Errorf("ceiling %d, want %d", got, c.ceiling)
			}
			d, ok := a.larger(demand{}, view, rev, c.has)
			if ok != (c.again > 0) || d.Memory != c.again {
				t.Errorf("again with %d, %t; want %d", d.Memory, ok, c.again)
			}
		})
	}
}
