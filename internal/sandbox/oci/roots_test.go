package oci

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// TestRootsAreAssembledWhileProcessesStart: a process that is being started has
// what the node has open, for a moment, and so had the files of a root file system
// that was just being made.
func TestRootsAreAssembledWhileProcessesStart(t *testing.T) {
	needRoot(t)
	dir, done := t.TempDir(), make(chan struct{})
	var starts errgroup.Group
	for range 4 {
		starts.Go(func() error {
			for {
				select {
				case <-done:
					return nil
				default:
					if err := exec.Command("true").Run(); err != nil {
						return err
					}
				}
			}
		})
	}
	for n := range 100 {
		root := filepath.Join(dir, fmt.Sprint(n))
		if err := assembleRoot(root, "", nil); err != nil {
			t.Errorf("root %d: %v", n, err)
			break
		}
		if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}
	close(done)
	if err := starts.Wait(); err != nil {
		t.Error(err)
	}
}
