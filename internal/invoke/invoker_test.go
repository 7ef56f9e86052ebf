package invoke

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/hearthd/hearth/internal/function"
)

func TestInvokeRunsAFunctionColdAndWarm(t *testing.T) {
	h := newHouse(t, nil)
	h.create("hello", python(), "lambda_function.py", `
count = 0
def handler(event, context):
    global count
    count += 1
    print("saw", event["name"])
    return {"hello": event["name"], "count": count}
`)
	first := h.invoke("hello", `{"name":"world"}`)
	if got := string(first.Payload); got != `{"hello": "world", "count": 1}` || first.FunctionError != "" || !first.Cold {
		t.Errorf("first = %s %q cold=%t\n%s", got, first.FunctionError, first.Cold, first.Tail)
	}
	second := h.invoke("hello", `{"name":"again"}`)
	if got := string(second.Payload); got != `{"hello": "again", "count": 2}` || second.Cold {
		t.Errorf("second = %s cold=%t", got, second.Cold)
	}
	for _, want := range []string{"START RequestId: ", "saw again\n", "END RequestId: ", "REPORT RequestId: ", "Memory Size: 128 MB\tMax Memory Used: "} {
		if !strings.Contains(string(second.Tail), want) {
			t.Errorf("tail lacks %q:\n%s", want, second.Tail)
		}
	}
	if strings.Contains(string(second.Tail), "Init Duration") || !strings.Contains(string(first.Tail), "Init Duration") {
		t.Errorf("Init Duration belongs to the cold start alone:\n%s\n%s", first.Tail, second.Tail)
	}
}

// While a hot function is updated, the previous code answers; then the new one
// does, and nobody meets a cold start.
func TestUpdateOfAHotFunctionMeetsNoColdStart(t *testing.T) {
	h := newHouse(t, nil)
	h.create("f", python(), "lambda_function.py", "def handler(e, c): return 1")
	h.invoke("f", "{}")

	stop := make(chan struct{})
	var answers []string
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			resp, err := h.invoker.Invoke(t.Context(), &Request{Account: testAccount, Name: "f", RequestID: uuid.NewString(), Payload: []byte("{}")})
			if err != nil || resp.FunctionError != "" || resp.Cold && len(answers) == 0 {
				t.Errorf("during the update: %v %+v", err, resp)
				return
			}
			answers = append(answers, string(resp.Payload))
			resp.Finish()
		}
	})
	view := h.update("f", "lambda_function.py", "def handler(e, c): return 2")
	if view.Status.Update != function.Successful {
		t.Errorf("update: %+v", view.Status)
	}
	after := h.invoke("f", "{}")
	close(stop)
	wg.Wait()
	if string(after.Payload) != "2" {
		t.Errorf("after the update the previous code answered: %s", after.Payload)
	}
	if !strings.HasPrefix(strings.Join(answers, ""), "1") {
		t.Errorf("the previous code should have answered first: %v", answers)
	}
	if strings.Contains(strings.Join(answers, ""), "21") {
		t.Errorf("the previous code answered after the new one: %v", answers)
	}
}

func TestUpdateThatDoesNotInitialiseLeavesThePreviousServing(t *testing.T) {
	h := newHouse(t, nil)
	h.create("f", python(), "lambda_function.py", "def handler(e, c): return 1")
	h.invoke("f", "{}")
	view := h.update("f", "lambda_function.py", "import no_such_module")
	if view.Status.Update != function.Failed || view.Status.UpdateReasonCode != "FunctionError.RuntimeInitError" {
		t.Errorf("update: %+v", view.Status)
	}
	if resp := h.invoke("f", "{}"); string(resp.Payload) != "1" {
		t.Errorf("answer = %s", resp.Payload)
	}
}

func TestFunctionErrorsAreAnswers(t *testing.T) {
	h := newHouse(t, nil)
	const code = `
import os, time
def handler(event, context):
    if event == "raise": raise ValueError("no")
    if event == "exit": os._exit(3)
    if event == "sleep": time.sleep(60)
    if event == "kill": os.kill(os.getpid(), 9)
    if event == "eat": b"x" * (700 << 20)
    return event
`
	config := python()
	config.Memory = 512
	config.TimeoutSec = 60
	h.create("bad", config, "lambda_function.py", code)
	config.TimeoutSec = 1
	h.create("hasty", config, "lambda_function.py", code)
	for _, c := range []struct{ function, event, errorType, message string }{
		{"bad", "raise", "ValueError", "no"},
		{"bad", "exit", "Runtime.ExitError", "Runtime exited with error: exit status 3"},
		{"hasty", "sleep", "Sandbox.Timedout", "Task timed out after 1.00 seconds"},
		{"bad", "kill", "Runtime.ExitError", "Runtime exited with error: signal: killed"},
		{"bad", "eat", "Runtime.OutOfMemory", "Runtime exited with error: signal: killed"},
	} {
		resp := h.invoke(c.function, `"`+c.event+`"`)
		if resp.FunctionError != "Unhandled" || !strings.Contains(string(resp.Payload), `"`+c.errorType+`"`) || !strings.Contains(string(resp.Payload), c.message) {
			t.Errorf("%s: %q %s", c.event, resp.FunctionError, resp.Payload)
		}
		if ok := h.invoke(c.function, `"fine"`); string(ok.Payload) != `"fine"` {
			t.Errorf("after %s: %s", c.event, ok.Payload)
		}
	}
}
