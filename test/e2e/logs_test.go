package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hearthd/hearth/test/testnode"
)

// The log of an invocation is Lambda's: START, what the function printed, END
// and a REPORT with measured figures, Init Duration on a cold start only.
func TestLogLines(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "lines", Handler: "main.handler", Memory: 256, Code: python(t, `
import logging
import sys
logging.getLogger().setLevel(logging.INFO)
def handler(event, context):
    print("printed")
    print("to stderr", file=sys.stderr)
    logging.warning("warned %s", "once")
    return "x"
`)})
	cold := f.invoke(t, nil, tail)
	pattern := regexp.MustCompile(`(?s)^(?:INIT_START [^\n]*\n)?START RequestId: (\S+) Version: \$LATEST\n(.*)END RequestId: (\S+)\nREPORT RequestId: (\S+)\t` +
		`Duration: (\d+\.\d\d) ms\tBilled Duration: (\d+) ms\tMemory Size: 256 MB\tMax Memory Used: (\d+) MB\t(?:Init Duration: (\d+\.\d\d) ms\t)?\n$`)
	got := pattern.FindStringSubmatch(cold.Log)
	if got == nil {
		t.Fatalf("log %q", cold.Log)
	}
	if got[1] != cold.RequestID || got[3] != cold.RequestID || got[4] != cold.RequestID {
		t.Errorf("request ids %q, want %s", got, cold.RequestID)
	}
	if got[8] == "" {
		t.Errorf("a cold start without Init Duration: %q", cold.Log)
	}
	if used := got[7]; used == "0" || len(used) > 2 {
		t.Errorf("Max Memory Used: %s MB", used)
	}
	for _, line := range []string{"printed\n", "to stderr\n"} {
		if !strings.Contains(got[2], line) {
			t.Errorf("no %q in %q", line, got[2])
		}
	}
	if !regexp.MustCompile(`(?m)^\[WARNING\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t` + cold.RequestID + `\twarned once$`).MatchString(got[2]) {
		t.Errorf("no warning in Lambda's form in %q", got[2])
	}
	warm := f.invoke(t, nil, tail)
	if got := pattern.FindStringSubmatch(warm.Log); got == nil || got[8] != "" {
		t.Errorf("log of the second invocation %q", warm.Log)
	}
	if without := f.invoke(t, nil); without.Log != "" {
		t.Errorf("a log that nobody asked for: %q", without.Log)
	}
}

// REPORT says how an invocation ended, when it ended badly.
func TestReportOfBadEnds(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "late", Handler: "ends.sleeps", Timeout: 1})
	o := f.invoke(t, map[string]int{"seconds": 30}, tail)
	if !regexp.MustCompile(`Duration: 1\d\d\d\.\d\d ms\tBilled Duration: 1\d\d\d ms\t.*Status: timeout`).MatchString(o.Log) {
		t.Errorf("log %q", o.Log)
	}
	if !strings.Contains(o.Log, "going to sleep\n") || !strings.Contains(o.Log, o.RequestID+" Task timed out after 1.00 seconds") {
		t.Errorf("log %q", o.Log)
	}
	x := u.create(t, spec{Name: "gone", Handler: "ends.exits"})
	o = x.invoke(t, map[string]int{"status": 4}, tail)
	if !regexp.MustCompile(`Status: error\tError Type: Runtime.ExitError`).MatchString(o.Log) {
		t.Errorf("log %q", o.Log)
	}
}

// `hearth logs` shows what was written, and with -f what is being written.
func TestLogsCommand(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "told", Handler: "main.handler", Code: python(t, "def handler(event, context):\n    print('said', event)\n")})
	f.invoke(t, "first")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	binary, err := testnode.Binary()
	if err != nil {
		t.Fatal(err)
	}
	follow := exec.CommandContext(ctx, binary, "logs", f.name, "-f")
	follow.Env = append(follow.Environ(), u.node.Environ(u.key)...)
	out, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	follow.Stderr = os.Stderr
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	expect := func(text string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("hearth logs -f never said %q: %v", text, lines.Err())
	}
	expect("said first")
	f.invoke(t, "second")
	expect("said second")
	cancel()
	_ = follow.Wait()

	printed, err := u.node.Hearth(t.Context(), u.key, "logs", f.name, "--json")
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	for line := range bytes.Lines(printed) {
		var event struct {
			Time            int64
			Stream, Message string
		}
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatalf("not a JSON line: %q", line)
		}
		if strings.HasPrefix(event.Message, "said ") {
			said++
		}
		if event.Time == 0 || !strings.Contains(event.Stream, "[$LATEST]") {
			t.Errorf("event %+v", event)
		}
	}
	if said != 2 {
		t.Errorf("%d lines of the function in the log, want 2:\n%s", said, printed)
	}
	other := newTenant(t)
	if out, err := other.node.Hearth(t.Context(), other.key, "logs", f.name); err == nil && bytes.Contains(out, []byte("said")) {
		t.Errorf("another account reads the log: %s", out)
	}
}
