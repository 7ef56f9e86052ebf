package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netns"

	"github.com/hearthd/hearth/test/testnode"
)

// With --network egress a function reaches other machines, and neither the
// host, nor Hearth, nor other functions.
func TestEgress(t *testing.T) {
	t.Parallel()
	testnode.Require(t, testnode.Root, testnode.Command("ip"))
	outside := anotherMachine(t)
	onHost, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer onHost.Close()
	port := onHost.Addr().(*net.TCPAddr).Port
	node := testnode.Start(t, testnode.Options{Args: []string{"--network", "egress"}})
	u := tenantOf(t, node)
	f := u.create(t, spec{Name: "walker", Handler: "inspect_sandbox.handler", Code: tree(t, "inspect"), Timeout: 60, Memory: 256})
	neighbour := u.create(t, spec{Name: "listener", Handler: "main.handler", Timeout: 30, Code: python(t, `
import socket
server = socket.create_server(("0.0.0.0", 7777))
def handler(event, context):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("198.51.100.1", 9))
    return s.getsockname()[0]
`)})
	var address string
	neighbour.answer(t, nil, &address)

	closed := []string{strings.TrimPrefix(node.URL, "http://"), fmt.Sprintf("127.0.0.1:%d", port), address + ":7777"}
	for _, a := range hostAddresses(t) { // the gateway's among them
		closed = append(closed, fmt.Sprintf("%s:%d", a, port))
	}
	var in view
	f.answer(t, map[string]any{"targets": append(closed, outside)}, &in)
	if in.Reach[outside] != "connected" {
		t.Errorf("another machine: %s", in.Reach[outside])
	}
	for _, target := range closed {
		if in.Reach[target] == "connected" {
			t.Errorf("%s can be reached", target)
		}
	}
}

// anotherMachine makes a network namespace that stands for a machine besides
// this one, with a service on it, and returns the service's address.
func anotherMachine(t testing.TB) string {
	t.Helper()
	const name, here, there = "hearth-e2e-out", "198.51.100.1", "198.51.100.2"
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	_ = exec.Command("ip", "netns", "delete", name).Run() // of a run that was interrupted
	ip("netns", "add", name)
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "delete", name).CombinedOutput(); err != nil {
			t.Errorf("delete the other machine: %v: %s", err, out)
		}
	})
	ip("link", "add", "hearth-e2e", "type", "veth", "peer", "name", "eth0", "netns", name)
	ip("address", "add", here+"/30", "dev", "hearth-e2e")
	ip("link", "set", "hearth-e2e", "up")
	ip("-n", name, "address", "add", there+"/30", "dev", "eth0")
	ip("-n", name, "link", "set", "eth0", "up")
	l := listenIn(t, name, there+":0")
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// listenIn listens in a named network namespace.
func listenIn(t testing.TB, name, address string) net.Listener {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	away, err := netns.GetFromName(name)
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	if err := netns.Set(away); err != nil {
		t.Fatal(err)
	}
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", address)
	if back := netns.Set(home); back != nil {
		panic(back) // this thread is lost
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}
