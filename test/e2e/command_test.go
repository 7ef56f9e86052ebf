package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthd/hearth/test/testnode"
)

// The hearth command, as a user without any AWS tool would use it.
func TestHearthCommand(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	hearth := func(args ...string) string {
		t.Helper()
		out, err := u.node.Hearth(t.Context(), u.key, args...)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	dir := filepath.Join(t.TempDir(), "greeter")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("lambda_function.py", "def lambda_handler(event, context):\n    print('greeting')\n    return 'hello ' + event['name']\n")
	if out := hearth("deploy", dir); !strings.Contains(out, "hearth invoke greeter") {
		t.Errorf("deploy does not tell what to call next:\n%s", out)
	}
	if out := hearth("invoke", "greeter", "--payload", `{"name": "world"}`); strings.TrimSpace(out) != `"hello world"` {
		t.Errorf("invoke prints %q", out)
	}
	write("lambda_function.py", "def lambda_handler(event, context):\n    return 'goodbye ' + event['name']\n")
	hearth("deploy", dir)
	if out := hearth("invoke", "greeter", "--payload", `{"name": "world"}`); strings.TrimSpace(out) != `"goodbye world"` {
		t.Errorf("invoke prints %q after the second deploy", out)
	}
	var listed []map[string]any
	decode(t, []byte(hearth("ls", "--json")), &listed)
	if len(listed) != 1 {
		t.Errorf("ls --json: %v", listed)
	}
	if out := hearth("ls"); !strings.Contains(out, "greeter") {
		t.Errorf("ls:\n%s", out)
	}
	if out := hearth("ps"); !strings.Contains(out, "greeter") {
		t.Errorf("ps:\n%s", out)
	}
	if out := hearth("logs", "greeter"); !strings.Contains(out, "greeting") || !strings.Contains(out, "REPORT RequestId") {
		t.Errorf("logs:\n%s", out)
	}
	// Counted before the answer, so that there is nothing to wait for.
	if out := hearth("usage", "greeter", "--by", "version"); !strings.Contains(out, "greeter\t$LATEST\t2\t0\t") {
		t.Errorf("usage:\n%s", out)
	}
	if out := hearth("usage", "--since", "1h", "--by", "hour", "--csv"); !strings.HasPrefix(out, "start,account,function,version,invocations,") {
		t.Errorf("usage --csv:\n%s", out)
	}
	if out := hearth("runtimes"); !strings.Contains(out, "python3") {
		t.Errorf("runtimes:\n%s", out)
	}
	if out := hearth("version"); !strings.Contains(out, "hearth") {
		t.Errorf("version: %q", out)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if out := hearth("completion", shell); !strings.Contains(out, "hearth") {
			t.Errorf("completion for %s: %.100q", shell, out)
		}
	}
	for _, c := range []struct {
		args []string
		want string // a part of the complaint
	}{
		{[]string{"invoke", "nobody"}, "nobody"},
		{[]string{"deploy", filepath.Join(dir, "nowhere")}, "nowhere"},
		{[]string{"account", "ls"}, "root"},
		{[]string{"usage", "--account", "all"}, "root"},
		{[]string{"usage", "--since", "yesterday"}, "2026-03-04"},
		{[]string{"inovke", "greeter"}, "invoke"},
	} {
		out, err := u.node.Hearth(t.Context(), u.key, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("hearth %v: %v %s, want a word of %q", c.args, err, out, c.want)
		}
	}
}

// `hearth deploy` finds out what kind of function a directory holds.
func TestDeployGuesses(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	for name, source := range map[string]map[string]string{
		"py-app":  {"app.py": "def handler(event, context):\n    return 'python'\n"},
		"js-cjs":  {"index.js": "exports.handler = async () => 'javascript'\n"},
		"js-esm":  {"index.mjs": "export const handler = async () => 'module'\n"},
		"py-main": {"main.py": "def handler(event, context):\n    return 'main'\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), name)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			for file, content := range source {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := u.node.Hearth(t.Context(), u.key, "deploy", dir); err != nil {
				t.Fatal(err)
			}
			out, err := u.node.Hearth(t.Context(), u.key, "invoke", name)
			if err != nil || !bytes.HasPrefix(out, []byte(`"`)) {
				t.Errorf("invoke: %v %s", err, out)
			}
		})
	}
}

// `make demo` in small: everything from nothing to the clean-up.
func TestDemo(t *testing.T) {
	t.Parallel()
	testnode.Require(t, testnode.Root)
	binary, err := testnode.Binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), binary, "demo").CombinedOutput()
	if err != nil {
		t.Fatalf("hearth demo: %v\n%s", err, out)
	}
	for _, word := range []string{"cold", "warm", "1,000"} {
		if !strings.Contains(string(out), word) {
			t.Errorf("the demo does not speak of %q:\n%s", word, out)
		}
	}
}
