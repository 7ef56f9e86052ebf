package oci

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// runtimeAPIAddress is where runtimes expect the Runtime API
// (AWS_LAMBDA_RUNTIME_API), inside their environment.
const runtimeAPIAddress = "127.0.0.1:9001"

// congestionControl is what the connections of a network namespace begin with.
// A new one takes over the host's, and an algorithm that paces what it sends,
// such as BBR, sets a timer for every write, also on loopback, where there is
// nothing to be congested. Reno never does, and is part of every kernel.
const congestionControl = "/proc/sys/net/ipv4/tcp_congestion_control"

// listenRuntimeAPI listens in the network namespace that the calling thread is
// in. A socket belongs to the namespace it was made in, whoever serves it later.
func listenRuntimeAPI() (net.Listener, error) {
	// It is only a matter of speed.
	_ = os.WriteFile(congestionControl, []byte("reno"), 0)
	var config net.ListenConfig
	config.KeepAlive = -1         // loopback; timers for nothing
	config.SetMultipathTCP(false) // nor more than one path
	l, err := config.Listen(context.Background(), "tcp4", runtimeAPIAddress)
	if err != nil {
		return nil, fmt.Errorf("listen for the runtime: %w", err)
	}
	return l, nil
}

// inNetworkNamespace runs f on a thread that is in the namespace.
func inNetworkNamespace(namespace *os.File, f func() error) error {
	runtime.LockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("network namespace: %w", err)
	}
	defer unix.Close(home)
	if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter network namespace: %w", err)
	}
	err = f()
	if back := unix.Setns(home, unix.CLONE_NEWNET); back != nil {
		// Nothing else may run on a thread in a strange namespace.
		panic(fmt.Sprintf("cannot return to the host's network namespace: %v", back))
	}
	runtime.UnlockOSThread()
	return err
}
