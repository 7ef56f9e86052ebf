package e2e

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
)

// calm is what the handlers of the ends package answer to {"calm": true}.
type calm struct {
	Calm        bool
	Environment string
	Processes   []int
	Tmp         []string
}

var beCalm = map[string]bool{"calm": true}

// Invocations end badly, each in its own way: the caller gets Lambda's answer,
// a neighbour's invocations go on answering, and the next invocation finds
// a clean environment, a new one where the old one is no good any more.
func TestEndsThatGoWrong(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	for _, c := range []struct {
		handler   string
		name      string // of the case, where handler is not enough
		event     any
		memory    int32
		timeout   int32
		errorType string
		message   string // a pattern
		survives  bool   // the environment serves the next invocation, too
	}{
		{handler: "raises", event: map[string]string{"why": "a reason"}, errorType: "ValueError", message: `^as asked: a reason$`, survives: true},
		{handler: "raises_nested", errorType: "Broken", message: `'code': 7`, survives: true},
		{handler: "unserialisable", errorType: "Runtime.MarshalError", message: `^Unable to marshal response: Object of type set is not JSON serializable$`, survives: true},
		{handler: "exits", name: "exit with 0", event: map[string]int{"status": 0}, errorType: "Runtime.ExitError", message: `^RequestId: \S+ Error: Runtime exited without providing a reason$`},
		{handler: "exits", name: "exit with 4", event: map[string]int{"status": 4}, errorType: "Runtime.ExitError", message: `^RequestId: \S+ Error: Runtime exited with error: exit status 4$`},
		{handler: "exits_hard", event: map[string]int{"status": 5}, errorType: "Runtime.ExitError", message: `exit status 5$`},
		{handler: "killed", name: "SIGKILL", event: map[string]int{"signal": 9}, errorType: "Runtime.ExitError", message: `Runtime exited with error: signal: killed$`},
		{handler: "killed", name: "SIGSEGV", event: map[string]int{"signal": 11}, errorType: "Runtime.ExitError", message: `Runtime exited with error: signal: segmentation fault`},
		{handler: "sleeps", timeout: 1, errorType: "Sandbox.Timedout", message: `Task timed out after 1\.00 seconds$`},
		{handler: "spins", timeout: 1, errorType: "Sandbox.Timedout", message: `Task timed out after 1\.00 seconds$`},
		{handler: "ignores_term", timeout: 1, errorType: "Sandbox.Timedout", message: `Task timed out after 1\.00 seconds$`},
		{handler: "logs_much", timeout: 2, errorType: "Sandbox.Timedout", message: `Task timed out after 2\.00 seconds$`},
		{handler: "fork_bomb", timeout: 2, errorType: "", message: `Task timed out|Runtime exited`},
		{handler: "eats_memory", timeout: 30, errorType: "Runtime.OutOfMemory", message: `Runtime exited with error: signal: killed$`},
		{handler: "eats_memory", name: "more memory", memory: 300, timeout: 30, errorType: "Runtime.OutOfMemory", message: `signal: killed$`},
		{handler: "opens_files", errorType: "OSError", message: `Too many open files`, survives: true},
		{handler: "writes_code", errorType: "OSError", message: `^\[Errno 30\] Read-only file system: '/var/task/more.py'$`, survives: true},
		{handler: "answers_much", event: map[string]int{"bytes": 6291556}, errorType: "Function.ResponseSizeTooLarge", message: `^Response payload size exceeded maximum allowed payload size \(6291556 bytes\)\.$`, survives: true},
	} {
		if c.name == "" {
			c.name = c.handler
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name := strings.ReplaceAll(c.name, " ", "-")
			f := u.create(t, spec{Name: name, Handler: "ends." + c.handler, Memory: c.memory, Timeout: c.timeout})
			neighbour := u.create(t, spec{Name: name + "-neighbour"})
			var before, after calm
			f.answer(t, beCalm, &before)

			watched := neighbour.watch(t)
			event := c.event
			if event == nil {
				event = map[string]string{}
			}
			bad := f.invoke(t, event, tail)
			watched()

			got := bad.failure(t)
			if c.errorType != "" && got.Type != c.errorType {
				t.Errorf("error type %q, want %q", got.Type, c.errorType)
			}
			if !regexp.MustCompile(c.message).MatchString(got.Message) {
				t.Errorf("message %q, want %q", got.Message, c.message)
			}
			if n := len(bad.Log); n > 4096 {
				t.Errorf("the log's tail has %d bytes, at most 4096 were promised", n)
			}
			if !strings.Contains(bad.Log, "REPORT RequestId: "+bad.RequestID) {
				t.Errorf("the log's tail has no REPORT: %q", bad.Log)
			}

			f.answer(t, beCalm, &after)
			if same := before.Environment == after.Environment; same != c.survives {
				t.Errorf("the next invocation is in the same environment: %v, want %v", same, c.survives)
			}
			if len(after.Processes) > len(before.Processes) {
				t.Errorf("processes before %v and after %v", before.Processes, after.Processes)
			}
		})
	}
}

// watch invokes the function again and again until the returned function is
// called; every answer must be right.
func (f *function) watch(t testing.TB) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	f.invoke(t, beCalm)
	go func() {
		for {
			o, err := f.try(ctx, map[string]string{"hello": "neighbour"})
			switch {
			case ctx.Err() != nil:
				done <- nil
				return
			case err != nil:
				done <- err
				return
			case o.FunctionError != "" || !bytes.Contains(o.Payload, []byte("neighbour")):
				t.Errorf("the neighbour answers %s %s", o.FunctionError, o.Payload)
			}
		}
	}()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the neighbour was hurt: %v", err)
		}
	}
}

// Errors carry a stack trace of the function's own frames, as Lambda's Python
// runtime prints it.
func TestPythonStackTrace(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "trace", Handler: "main.handler", Code: python(t, "def handler(event, context):\n    helper()\n\ndef helper():\n    raise KeyError('gone')\n")})
	o := f.invoke(t, nil, tail)
	got := o.failure(t)
	want := []any{
		"  File \"/var/task/main.py\", line 2, in handler\n    helper()\n",
		"  File \"/var/task/main.py\", line 5, in helper\n    raise KeyError('gone')\n",
	}
	if got.Type != "KeyError" || got.Message != "'gone'" || !cmp.Equal(got.StackTrace, any(want)) || got.RequestID != o.RequestID {
		t.Errorf("failure %+v", got)
	}
	if !strings.Contains(o.Log, "[ERROR] KeyError: 'gone'\nTraceback (most recent call last):") && !strings.Contains(o.Log, "[ERROR] KeyError: 'gone'\r") {
		t.Errorf("log %q", o.Log)
	}
}

// A package that cannot be loaded fails every invocation in the same way, and
// is mended by an update.
func TestBrokenPackages(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	for _, c := range []struct {
		name, handler string
		runtime       types.Runtime
		code          []byte
		errorType     string
		message       string // a pattern
	}{
		{name: "syntax", handler: "broken.handler", code: tree(t, "syntaxerror"), errorType: "Runtime.UserCodeSyntaxError", message: `^Syntax error in module 'broken': `},
		{name: "no-module", handler: "absent.handler", code: tree(t, "ends"), errorType: "Runtime.ImportModuleError", message: `^Unable to import module 'absent': No module named 'absent'$`},
		{name: "no-handler", handler: "ends.absent", code: tree(t, "ends"), errorType: "Runtime.HandlerNotFound", message: `^Handler 'absent' missing on module 'ends'$`},
		{name: "malformed-handler", handler: "ends", code: tree(t, "ends"), errorType: "Runtime.MalformedHandlerName", message: `^Bad handler 'ends': `},
		{name: "import-fails", handler: "main.handler", code: python(t, "import nothing_like_this\n"), errorType: "Runtime.ImportModuleError", message: `No module named 'nothing_like_this'`},
		{name: "import-raises", handler: "main.handler", code: python(t, "raise RuntimeError('at import')\n"), errorType: "RuntimeError", message: `^at import$`},
		{name: "import-exits", handler: "main.handler", code: python(t, "import os\nos._exit(1)\n"), errorType: "Runtime.ExitError", message: `exit status 1$`},
		{name: "node-syntax", handler: "index.handler", runtime: types.RuntimeNodejs20x, code: files(t, "index.js", "exports.handler = ("), errorType: "Runtime.UserCodeSyntaxError", message: `SyntaxError`},
		{name: "node-no-module", handler: "absent.handler", runtime: types.RuntimeNodejs20x, code: tree(t, "node"), errorType: "Runtime.ImportModuleError", message: `Cannot find module 'absent'`},
		{name: "node-no-handler", handler: "index.absent", runtime: types.RuntimeNodejs20x, code: tree(t, "node"), errorType: "Runtime.HandlerNotFound", message: `index\.absent is undefined or not exported`},
		{name: "no-bootstrap", handler: "any", runtime: types.RuntimeProvidedal2023, code: tree(t, "ends"), errorType: "Runtime.InvalidEntrypoint", message: `bootstrap`},
		{name: "bootstrap-exits", handler: "any", runtime: types.RuntimeProvidedal2023, code: bootstrap(t, "#!/bin/sh\nexit 9\n"), errorType: "Runtime.ExitError", message: `exit status 9$`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := u.create(t, spec{Name: c.name, Runtime: c.runtime, Handler: c.handler, Code: c.code, Timeout: 10})
			for range 2 {
				got := f.invoke(t, nil).failure(t)
				if got.Type != c.errorType || !regexp.MustCompile(c.message).MatchString(got.Message) {
					t.Errorf("%s: %q, want %s: %q", got.Type, got.Message, c.errorType, c.message)
				}
			}
		})
	}
}

// Processes that a handler leaves behind hurt nobody, and go with their environment.
func TestChildrenLeftBehind(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "parent", Handler: "ends.leaves_children", Timeout: 10})
	neighbour := u.create(t, spec{Name: "parent-neighbour"})
	stop := neighbour.watch(t)
	for range 3 {
		var got map[string]bool
		f.answer(t, map[string]string{}, &got)
		if !got["left"] {
			t.Errorf("answer %v", got)
		}
	}
	stop()
}

// /tmp is full at its size, whatever the host's disk holds.
func TestFullTmp(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "full", Handler: "ends.fills_tmp", Timeout: 60, Memory: 1769})
	var got struct {
		Errno   int
		Written int64
	}
	f.answer(t, map[string]string{}, &got)
	if got.Errno != 28 || got.Written < 480<<20 || got.Written > 560<<20 {
		t.Errorf("errno %d after %d MB, want ENOSPC (28) at about 512", got.Errno, got.Written>>20)
	}
	var after calm
	f.answer(t, beCalm, &after)
	if !after.Calm {
		t.Errorf("afterwards: %+v", after)
	}
}

// Output of any kind neither breaks the log nor the answer.
func TestWildOutput(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	for _, handler := range []string{"logs_one_long_line", "logs_binary"} {
		t.Run(handler, func(t *testing.T) {
			t.Parallel()
			f := u.create(t, spec{Name: handler, Handler: "ends." + handler, Timeout: 20})
			var got string
			o := f.invoke(t, map[string]string{}, tail)
			decode(t, o.Payload, &got)
			if got != "done" || len(o.Log) > 4096 || !strings.Contains(o.Log, "REPORT RequestId: "+o.RequestID) {
				t.Errorf("answer %q, tail of %d bytes", got, len(o.Log))
			}
		})
	}
}
