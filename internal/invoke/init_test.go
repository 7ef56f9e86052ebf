package invoke

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// eachItsOwn begins a module that tells environments apart.
const eachItsOwn = "import os, sys, time, uuid\nown = uuid.uuid4().hex\nprint('init', own)\n"

// TestFailedInitIsTriedAgain: Lambda initialises once more, within the
// invocation, and what comes of that is the answer.
func TestFailedInitIsTriedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(s *settings) { s.worker.InitFor = 4 * time.Second })
	for _, c := range []struct {
		name, code, errorType, message string
		timeout                        int
	}{
		{"error", "raise ValueError(own)\n", "ValueError", "", 60},
		{"exit", "sys.exit(3)\n", "Runtime.ExitError", "exit status 3", 60},
		{"time-out", "time.sleep(60)\n", "Sandbox.Timedout", "Task timed out after 4.00 seconds", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := python()
			config.TimeoutSec = c.timeout
			h.create(c.name, config, "lambda_function.py", eachItsOwn+c.code)
			resp := h.invoke(c.name, `{}`)
			var got struct{ ErrorType, ErrorMessage string }
			if err := json.Unmarshal(resp.Payload, &got); err != nil || resp.FunctionError == "" {
				t.Fatalf("%q %s %v", resp.FunctionError, resp.Payload, err)
			}
			lines := h.logLines(c.name, "init ")
			if len(lines) != 2 || lines[0] == lines[1] {
				t.Fatalf("initialised as %q, want twice, each time in a new environment", lines)
			}
			last := strings.TrimPrefix(lines[1], "init ")
			if c.message == "" {
				c.message = last
			}
			if got.ErrorType != c.errorType || !strings.Contains(got.ErrorMessage, c.message) {
				t.Errorf("answer %+v, want the second try's: %s %s", got, c.errorType, c.message)
			}
			if !strings.Contains(string(resp.Tail), last) {
				t.Errorf("the log's tail is not of the second try:\n%s", resp.Tail)
			}
		})
	}
}

// TestPrebootedEnvironmentsMakeRoom: those that came to an account together
// with an instance are given up when a function needs their memory.
func TestPrebootedEnvironmentsMakeRoom(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(s *settings) { s.memoryMB, s.floor = 512, 2 })
	rt, _, err := h.runtimes.For("python3.11")
	if err != nil {
		t.Fatal(err)
	}
	h.pool.Keep(rt.Name)
	h.eventually("two are pre-booted in one instance", func() bool {
		all := h.pool.Instances()
		return len(all) == 1 && len(all[0].Ready()) == 2
	})
	h.create("small", python(), "lambda_function.py", "def handler(event, context): return 1\n")
	h.invoke("small", `{}`)
	if all := h.workers.Instances(); len(all) != 1 || len(all[0].Ready()) == 0 {
		t.Fatalf("%d instances, want one with a pre-booted environment left", len(all))
	}
	config := python()
	config.Memory = 512
	h.create("large", config, "lambda_function.py", "def handler(event, context): return 2\n")
	if resp := h.invoke("large", `{}`); string(resp.Payload) != "2" {
		t.Errorf("%s", resp.Payload)
	}
}
