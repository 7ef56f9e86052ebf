package oci

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestMain gives the tests what `hearth serve` gives the driver, a mount
// namespace of their own and a sealed binary, and a network namespace as well:
// what they call the host's network is theirs alone.
func TestMain(m *testing.M) {
	if probe := os.Getenv(probeEnv); probe != "" {
		if err := probes[probe](); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if spec := os.Getenv(crashEnv); spec != "" {
		fmt.Fprintln(os.Stderr, crashingNode(spec))
		os.Exit(1)
	}
	if os.Geteuid() == 0 {
		if err := isolateTests(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	code := m.Run()
	if dir, err := makeProbeDir(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

func isolateTests() error {
	if os.Getenv(isolatedMark) == "" {
		runtime.LockOSThread() // Isolate goes on from this thread
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
	}
	if err := Isolate(); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}
