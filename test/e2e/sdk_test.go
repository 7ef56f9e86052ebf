package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearthd/hearth/test/testnode"
)

// scenario runs a script that reports what it did, one line of JSON each.
func scenario(t testing.TB, command *exec.Cmd) []string {
	t.Helper()
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	var did []string
	for line := range bytes.Lines(out.Bytes()) {
		var step struct{ What string }
		if err := json.Unmarshal(line, &step); err == nil {
			did = append(did, step.What)
		}
	}
	if err != nil {
		t.Fatalf("after %v: %v\n%s", did, err, errs.Bytes())
	}
	return did
}

func TestBoto3(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	interpreter, err := testnode.BotoPython()
	testnode.Require(t, func() error { return err })
	command := exec.CommandContext(t.Context(), interpreter, filepath.Join("testdata", "sdk", "scenario.py"))
	command.Env = append(os.Environ(), u.node.Environ(u.key)...)
	want := []string{"created", "invoked", "updated", "published", "refused", "presigned", "deleted"}
	if diff := cmp.Diff(want, scenario(t, command)); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}
}

func TestSDKForJavaScript(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	testnode.Require(t, testnode.Command("node"), testnode.NodeSDK)
	// Node.js looks for packages beside the script.
	sdk, err := testnode.NPM("sdk", "@aws-sdk/client-lambda")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Dir(filepath.Dir(sdk)), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join("testdata", "sdk", "scenario.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "scenario.mjs"), script, 0o600); err != nil {
		t.Fatal(err)
	}
	first := files(t, "index.mjs", "export const handler = async (event) => { if (event.fail) throw new Error('as asked'); return { first: event } }\n")
	second := files(t, "index.mjs", "export const handler = async () => 'second'\n")
	command := exec.CommandContext(t.Context(), "node", filepath.Join(dir, "scenario.mjs"), writeFile(t, "first.zip", first), writeFile(t, "second.zip", second))
	command.Env = append(os.Environ(), u.node.Environ(u.key)...)
	want := []string{"created", "invoked", "updated", "published", "refused", "deleted"}
	if diff := cmp.Diff(want, scenario(t, command)); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}
}
