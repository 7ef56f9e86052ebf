package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hearthd/hearth/test/testnode"
)

// shared is the node that tests with accounts of their own use together. It is
// nil where sandboxes cannot be made; newTenant skips or fails the test then.
var shared *testnode.Node

// store is where the shared node finds code by bucket and key.
var store *bucketServer

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run starts the shared node, runs the tests and sees that the node leaves
// nothing behind.
func run(m *testing.M) int {
	if testnode.Root() != nil {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "hearth-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	store = newBucketServer()
	defer store.Close()
	shared, err = testnode.Launch(context.Background(), testnode.Options{Dir: filepath.Join(dir, "node"), Args: store.serveArgs()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := shared.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "the shared node's log:\n%s\n", shared.Log())
	}
	return code
}
