package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthd/hearth/internal/client/clienttest"
)

// run runs a command and returns what it printed.
func run(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, complaints bytes.Buffer
	a := &app{stdin: strings.NewReader(stdin), stdout: &out, stderr: &complaints}
	root := newRoot(a)
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	return out.String(), complaints.String(), err
}

// hearth runs a command that shall succeed.
func hearth(t *testing.T, args ...string) string {
	t.Helper()
	out, complaints, err := run(t, "", args...)
	if err != nil {
		t.Fatalf("hearth %v: %v\n%s", args, err, complaints)
	}
	return out
}

// pythonProject makes a directory with a function in Python.
func pythonProject(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "app.py"), []byte("def handler(event, context):\n    return event\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDeployAndInvoke(t *testing.T) {
	node := clienttest.Start(t)
	node.Use(t)
	dir := pythonProject(t, "greeter")
	for _, step := range []struct {
		args []string
		want []string
	}{
		{[]string{"deploy", dir}, []string{"greeter created", "python3.12", "app.handler (app.py defines handler)", "hearth invoke greeter"}},
		{[]string{"deploy", dir}, []string{"greeter is up to date"}},
		{[]string{"deploy", dir, "--memory", "256", "--timeout", "9", "--env", "STAGE=test", "--publish"}, []string{"greeter updated: configuration", "256 MB", "9 s", "version  1"}},
		{[]string{"deploy", dir, "--name", "other", "--runtime", "python3.9", "--handler", "app.other"}, []string{"other created", "python3.9", "app.other (as you said)"}},
		{[]string{"invoke", "greeter", "--payload", `{"a": 1}`}, []string{`{"a": 1}`}},
		{[]string{"ls"}, []string{"NAME\tRUNTIME\t", "greeter\tpython3.12\tapp.handler\t256 MB\t9 s\t", "other\t"}},
		{[]string{"logs", "greeter"}, []string{"2026-01-02T03:04:05.000Z START\n", "2026-01-02T03:04:05.001Z a line\twith a tab\n"}},
		{[]string{"logs", "greeter", "-n", "1"}, []string{"2026-01-02T03:04:05.002Z END\n"}},
	} {
		out := hearth(t, step.args...)
		for _, want := range step.want {
			if !strings.Contains(out, want) {
				t.Errorf("hearth %v prints\n%s\nwant something with %q", step.args, out, want)
			}
		}
	}
}

func TestInvokePrintsTheAnswerAlone(t *testing.T) {
	node := clienttest.Start(t)
	node.Use(t)
	hearth(t, "deploy", pythonProject(t, "echo"))
	event := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(event, []byte(`{"from":"file"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		stdin          string
		args           []string
		stdout, stderr string
		err            string
	}{
		"no payload":         {args: nil, stdout: "{}\n"},
		"a payload":          {args: []string{"-p", `"text"`}, stdout: "\"text\"\n"},
		"a file":             {args: []string{"-p", "@" + event}, stdout: "{\"from\":\"file\"}\n"},
		"the standard input": {stdin: "[1]", args: []string{"-p", "-"}, stdout: "[1]\n"},
		"with the log":       {args: []string{"--log"}, stdout: "{}\n", stderr: "START\nEND\n"},
		"a function error":   {args: []string{"-p", `"fail"`}, stdout: "{\"errorType\":\"Failure\"}\n", err: "ended with an error"},
		"no JSON":            {args: []string{"-p", "text"}, err: "--payload is not JSON"},
		"no JSON on stdin":   {stdin: "text", args: []string{"-p", "-"}, err: "the standard input is not JSON"},
		"no such file":       {args: []string{"-p", "@/nonexistent"}, err: "/nonexistent"},
		"as JSON": {
			args:   []string{"--json", "--log", "--qualifier", "3"},
			stdout: "{\n  \"statusCode\": 200,\n  \"executedVersion\": \"3\",\n  \"payload\": {},\n  \"log\": \"START\\nEND\\n\"\n}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, err := run(t, test.stdin, append([]string{"invoke", "echo"}, test.args...)...)
			if stdout != test.stdout || stderr != test.stderr {
				t.Errorf("printed %q and %q, want %q and %q", stdout, stderr, test.stdout, test.stderr)
			}
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
}

func TestLooking(t *testing.T) {
	node := clienttest.Start(t)
	node.Use(t)
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"ps"}, []string{
			"active\ti-1\t123456789012\t00112233445",
			"hello\t$LATEST\tabc\tpython3.12\tidle\t6.0 MB of 128 MB\t1,234\t1m\n",
			"warming\ti-2\t-\t-\t-\t-\t-\t-\tempty\t",
		}},
		{[]string{"runtimes"}, []string{"RUNTIME\tVERSION\tPATH\n", "python3.12\t3.12.1\t/usr/bin/python3\n"}},
		{[]string{"version"}, []string{"hearth "}},
		{[]string{"sizing"}, []string{"hello\trecommend\t1,024 MB\t1,024 MB\t150 MB\t155 MB\t168 MB\t83 %\t90 %\ttoo-much\n"}},
		{[]string{"sizing", "hello"}, []string{"recommended   168 MB\n", "steady        150 MB", "2026-01-02T03:04:05Z\t1,024 MB\t512 MB\ttoo-much\tBecause.\n"}},
		{[]string{"sizing", "explain", "hello"}, []string{"10.0 ms of CPU", "168 MB\t20.0 ms\t30.0 ms\t3.28\trecommended\n"}},
		{[]string{"sizing", "apply", "hello"}, []string{"hello is sized automatically"}},
		{[]string{"sizing", "reset", "hello"}, []string{"hello begins anew"}},
		{[]string{"account", "ls"}, []string{"123456789012\troot\troot\t1,000\t2026-01-02T03:04:05Z\n"}},
		{[]string{"account", "create", "bob"}, []string{"# account 000000000001 (bob)", "aws_secret_access_key = s3cret"}},
		{[]string{"account", "key", "ls", "bob"}, []string{clienttest.AccessKeyID + "\tactive\t"}},
		{[]string{"account", "key", "create", "bob"}, []string{"aws_access_key_id = AKIANEW"}},
		{[]string{"account", "key", "delete", "bob", "AKIANEW"}, nil},
		{[]string{"account", "set-concurrency", "bob", "5"}, nil},
	} {
		out := hearth(t, test.args...)
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("hearth %v prints\n%s\nwant something with %q", test.args, out, want)
			}
		}
	}
}

func TestVersionsHistoryRollback(t *testing.T) {
	node := clienttest.Start(t)
	node.Use(t)
	hearth(t, "deploy", pythonProject(t, "hello"))
	node.Calls()
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"versions", "hello"}, []string{
			"VERSION\tCODE\tSIZE\tMEMORY\tMODIFIED\tSTATE\tALIASES\tPROVISIONED\tENVIRONMENTS\tDESCRIPTION\n",
			"$LATEST\t0123456789ab\t2 KB\t128 MB\t2026-01-02T03:04:05Z\tActive, update InProgress\t-\t-\t1 idle of another revision\t-\n",
			"2\tfedcba987654\t1 KB\t256 MB\t2026-01-02T03:04:04Z\tActive\tall, live 90%\t1 of 2 (all)\t1 busy, 2 idle\trelease\n",
		}},
		{[]string{"history", "hello"}, []string{
			"TIME\tBY\tOPERATION\tWHAT\n",
			"2026-01-02T03:04:05Z\t" + clienttest.AccessKeyID + "\tUpdateFunctionCode\tcode: 0123456789ab → fedcba987654; version 2: Pending\n",
			"\thearth\tCompleteUpdate\tstatus: Active, InProgress → Active, Successful\n",
			"\t123456789012\tDeleteAlias\talias old: no longer 1\n",
		}},
		{[]string{"rollback", "hello"}, []string{"hello runs code 0123456789ab again\n"}},
		{[]string{"rollback", "hello", "--alias", "live", "--to", "7"}, []string{"alias live of hello points at version 7\n"}},
	} {
		out := hearth(t, test.args...)
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("hearth %v prints\n%s\nwant something with %q", test.args, out, want)
			}
		}
	}
	if got := strings.Join(node.Calls(), ", "); got != "roll back hello <nil> <nil>, roll back hello live 7" {
		t.Errorf("the node was asked to %s", got)
	}
	if out := hearth(t, "history", "hello", "-n", "1"); strings.Count(out, "\n") != 2 || !strings.Contains(out, "DeleteAlias") {
		t.Errorf("the newest change is\n%s", out)
	}
}

func TestEveryResultIsJSONForPrograms(t *testing.T) {
	node := clienttest.Start(t)
	node.Use(t)
	dir := pythonProject(t, "hello")
	for _, args := range [][]string{
		{"deploy", dir}, {"ls"}, {"ps"}, {"runtimes"}, {"version"}, {"invoke", "hello"},
		{"sizing"}, {"sizing", "hello"}, {"sizing", "explain", "hello"}, {"sizing", "apply", "hello"}, {"sizing", "reset", "hello"},
		{"account", "ls"}, {"account", "create", "bob"}, {"account", "key", "ls", "bob"}, {"account", "key", "create", "bob"},
		{"versions", "hello"}, {"history", "hello"}, {"rollback", "hello"}, {"rollback", "hello", "--alias", "live"},
	} {
		var v any
		if out := hearth(t, append(args, "--json")...); json.Unmarshal([]byte(out), &v) != nil {
			t.Errorf("hearth %v --json prints\n%s", args, out)
		}
	}
	for line := range strings.Lines(hearth(t, "logs", "hello", "--json")) {
		var v any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Errorf("a line of hearth logs --json is %q", line)
		}
	}
}

func TestMistakesAreExplained(t *testing.T) {
	node := clienttest.Start(t)
	node.Use(t)
	hearth(t, "deploy", pythonProject(t, "hello"))
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"inovke", "hello"}, "invoke"},
		{[]string{"account", "lst"}, "unknown command"},
		{[]string{"invoke"}, "accepts 1 arg"},
		{[]string{"invoke", "helo"}, "Did you mean hello?"},
		{[]string{"logs", "helo"}, "Did you mean hello?"},
		{[]string{"versions", "helo"}, "Did you mean hello?"},
		{[]string{"history", "helo"}, "Did you mean hello?"},
		{[]string{"rollback", "helo"}, "Did you mean hello?"},
		{[]string{"deploy", t.TempDir()}, "cannot tell how to run"},
		{[]string{"account", "set-concurrency", "root", "many"}, "not a number"},
		{[]string{"ls", "--endpoint", "http://127.0.0.1:1"}, "hearth serve"},
		{[]string{"ls", "--credentials", "/nonexistent"}, "/nonexistent"},
		{[]string{"serve", "--network", "all"}, "none or egress"},
		{[]string{"serve", "--log-level", "loud"}, "loud"},
	} {
		if test.args[0] == "serve" && test.args[1] == "--network" && os.Geteuid() != 0 {
			continue // asks for root first
		}
		if _, _, err := run(t, "", test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("hearth %v: %v, want something with %q", test.args, err, test.want)
		}
	}
}

func TestCompletion(t *testing.T) {
	node := clienttest.Start(t)
	node.Use(t)
	for _, name := range []string{"hello", "other", "third"} {
		hearth(t, "deploy", pythonProject(t, name))
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"__complete", "invoke", ""}, "hello\nother\nthird\n:4\n"},
		{[]string{"__complete", "logs", "hello", ""}, ":4\n"},
		{[]string{"__complete", "versions", ""}, "hello\nother\nthird\n:4\n"},
		{[]string{"__complete", "history", ""}, "hello\nother\nthird\n:4\n"},
		{[]string{"__complete", "rollback", ""}, "hello\nother\nthird\n:4\n"},
		{[]string{"__complete", "deploy", ""}, ":16\n"},
	} {
		if out := hearth(t, test.args...); out != test.want {
			t.Errorf("hearth %v prints %q, want %q", test.args, out, test.want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out := hearth(t, "completion", shell); !strings.Contains(out, "hearth") {
			t.Errorf("completion for %s: %q", shell, out)
		}
	}
	t.Run("without a node", func(t *testing.T) {
		clienttest.Isolate(t)
		if out, _, err := run(t, "", "__complete", "invoke", "", "--endpoint", "http://127.0.0.1:1"); err != nil || strings.Contains(out, "hearth serve") {
			t.Errorf("%q %v", out, err)
		}
	})
}

func TestFollowEndsWithTheCommand(t *testing.T) {
	node := clienttest.Start(t)
	node.Use(t)
	hearth(t, "deploy", pythonProject(t, "hello"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := writer(func(b []byte) {
		if bytes.Contains(b, []byte("END")) {
			cancel()
		}
	})
	root := newRoot(&app{stdout: out, stderr: &bytes.Buffer{}})
	root.SetArgs([]string{"logs", "hello", "--follow", "--since", "1h"})
	if err := root.ExecuteContext(ctx); err != nil {
		t.Error(err)
	}
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}
