package oci

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// listenIn opens a TCP listener inside the network namespace of a process. A
// socket belongs to the namespace it was made in, whoever serves it later.
func listenIn(pid int, address string) (l net.Listener, err error) {
	err = inNetworkNamespace("/proc/"+strconv.Itoa(pid)+"/ns/net", func() error {
		var config net.ListenConfig
		config.KeepAlive = -1 // loopback; timers for nothing
		l, err = config.Listen(context.Background(), "tcp4", address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen on %s in the environment: %w", address, err)
	}
	return l, nil
}

// inNetworkNamespace runs f on a thread that is in the namespace at path.
func inNetworkNamespace(path string, f func() error) error {
	target, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	defer unix.Close(target)
	runtime.LockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("network namespace: %w", err)
	}
	defer unix.Close(home)
	if err := unix.Setns(target, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter network namespace: %w", err)
	}
	err = f()
	if back := unix.Setns(home, unix.CLONE_NEWNET); back != nil {
		// A thread in a strange namespace must not run anything else. Left
		// locked, it would end with this goroutine and take the children it
		// started along (parent death signal), so stop here.
		panic(fmt.Sprintf("cannot return to the host's network namespace: %v", back))
	}
	runtime.UnlockOSThread()
	return err
}
