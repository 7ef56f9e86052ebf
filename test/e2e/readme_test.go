package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthd/hearth/test/testnode"
)

// The lines of README that lead from nothing to an answer do so, as they
// stand there; only the node's address is another, so that it can be free.
func TestReadme(t *testing.T) {
	t.Parallel()
	testnode.Require(t, testnode.Root, testnode.Command("aws"), testnode.Command("python3"))
	binary, err := testnode.Binary()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines := between(string(page), "```sh\n", "```")
	if n := strings.Count(lines, "\n"); n != 5 {
		t.Errorf("%d lines from nothing to an answer, not five", n)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	lines = strings.NewReplacer("serve --data ./data", "serve --data ./data --listen "+address, "127.0.0.1:9400", address).Replace(lines)

	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(dir, "bin", "hearth")); err != nil {
		t.Fatal(err)
	}
	// AWS CLIs before 2.13 and 1.29 do not know AWS_ENDPOINT_URL, as README says.
	script := "set -e\ntrap 'kill %1; wait' EXIT\n" +
		`aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }` + "\n" + lines
	command := exec.CommandContext(t.Context(), "bash", "-c", script)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"hello world"`) {
		t.Errorf("%v\n%s", err, out)
	}
}
