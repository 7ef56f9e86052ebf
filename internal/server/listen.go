package server

import (
	"context"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// listen listens for the API's clients. Where only this machine can reach the
// address, connections are spared the host's congestion control: an algorithm
// that paces what it sends, such as BBR, sets timers for every answer, and on
// loopback there is nothing to be congested. Reno never does, and is part of
// every kernel.
func listen(ctx context.Context, address string) (net.Listener, error) {
	config := net.ListenConfig{}
	if tcp, err := net.ResolveTCPAddr("tcp", address); err == nil && tcp.IP.IsLoopback() {
		config.Control = func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) {
				// It is only a matter of speed.
				_ = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
			})
		}
	}
	return config.Listen(ctx, "tcp", address)
}
