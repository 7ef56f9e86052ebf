package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthd/hearth/test/testnode"
)

// devReport is a line that `hearth dev --json` prints.
type devReport struct {
	Serves  *bool    `json:"serves"`
	Changed bool     `json:"changed"`
	Files   []string `json:"files"`
	Error   string   `json:"error"`
	Answer  string   `json:"answer"`
	Took    float64  `json:"milliseconds"`
}

// What is saved is served, what can't be served is reported, and requests are
// answered all the while.
func TestDev(t *testing.T) {
	t.Parallel()
	testnode.Require(t, testnode.Root)
	for name, language := range map[string]struct {
		file   string
		source func(answer string) string
		broken string
		wrong  string // what the report says of it
	}{
		"python": {"app.py", func(answer string) string {
			return "def handler(event, context):\n    return '" + answer + "'\n"
		}, "def handler(event, context:\n", "Runtime.UserCodeSyntaxError"},
		"nodejs": {"index.mjs", func(answer string) string {
			return "export const handler = async () => '" + answer + "'\n"
		}, "export const handler = async ( => 1\n", "Runtime.UserCodeSyntaxError"},
	} {
		t.Run(name, func(t *testing.T) {
			node := testnode.Start(t, testnode.Options{}) // nobody else's functions push this one out
			dir := filepath.Join(t.TempDir(), "live")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			save := func(source string) {
				t.Helper()
				fresh := filepath.Join(t.TempDir(), "fresh")
				if err := os.WriteFile(fresh, []byte(source), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(fresh, filepath.Join(dir, language.file)); err != nil {
					t.Fatal(err)
				}
			}
			save(language.source("one"))
			reports := startDev(t, node, dir)
			next := func(serves bool) devReport {
				t.Helper()
				var r devReport
				for ok := true; !r.Changed; {
					select {
					case r, ok = <-reports:
					case <-time.After(waitWithin):
						t.Fatal("hearth dev says nothing")
					}
					if !ok {
						t.Fatal("hearth dev has ended")
					}
				}
				if *r.Serves != serves {
					t.Fatalf("hearth dev says %+v", r)
				}
				t.Logf("%v: served %v, after %.0f ms %s", r.Files, *r.Serves, r.Took, r.Error)
				return r
			}
			if r := next(true); r.Answer != "one" {
				t.Fatalf("the start answers %q", r.Answer)
			}
			stop := callAllTheWhile(t, node, "live")
			save(language.source("two"))
			if r := next(true); r.Answer != "two" {
				t.Fatalf("after the save it answers %q", r.Answer)
			}
			save(language.broken)
			if r := next(false); !strings.Contains(r.Error, language.wrong) {
				t.Errorf("a syntax error is reported as %q", r.Error)
			}
			answers := stop()
			if last := answers[len(answers)-1]; last != `"two"` {
				t.Errorf("with the new code broken it answers %s", last)
			}
			save(language.source("three"))
			if r := next(true); r.Answer != "three" {
				t.Fatalf("when it is mended it answers %q", r.Answer)
			}
		})
	}
}

// startDev runs `hearth dev` until the test ends.
func startDev(t *testing.T, node *testnode.Node, dir string) <-chan devReport {
	t.Helper()
	binary, err := testnode.Binary()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary, "dev", dir, "--json", "--event", "{}")
	command.Env = append(command.Environ(), node.Environ(node.Root)...)
	var complaints strings.Builder
	command.Stderr = &complaints
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	reports := make(chan devReport, 100)
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(reports)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var r devReport
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				t.Errorf("hearth dev --json prints %q: %v", lines.Bytes(), err)
				return
			}
			if r.Serves != nil { // a line of the log otherwise
				reports <- r
			}
		}
	}()
	t.Cleanup(func() {
		if err := command.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
		<-read
		if err := command.Wait(); err != nil {
			t.Errorf("hearth dev ended with %v: %s", err, complaints.String())
		}
	})
	return reports
}

// callAllTheWhile invokes the function again and again; each call must be
// answered well. The function that it returns ends that after one more, and
// returns the answers.
func callAllTheWhile(t *testing.T, node *testnode.Node, name string) (stop func() []string) {
	t.Helper()
	api := node.Lambda(node.Root)
	var answers []string
	done := make(chan struct{})
	var calls sync.WaitGroup
	calls.Go(func() {
		for last := false; !last; {
			select {
			case <-done:
				last = true
			default:
			}
			out, err := api.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name})
			if err != nil || out.FunctionError != nil {
				t.Errorf("a request failed: %v %+v", err, out)
				return
			}
			answers = append(answers, string(out.Payload))
		}
	})
	end := sync.OnceFunc(func() {
		close(done)
		calls.Wait()
	})
	t.Cleanup(end)
	stop = func() []string {
		end()
		if len(answers) == 0 {
			t.Fatal("no request was answered")
		}
		return answers
	}
	return stop
}
