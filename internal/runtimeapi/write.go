package runtimeapi

import (
	"errors"
	"net"
	"syscall"
)

// nonblockingWriter writes what a socket takes without waiting.
type nonblockingWriter struct {
	raw syscall.RawConn // nil when the connection has none
	buf []byte
	n   int
	err error
	// attempt is made once, so that a write allocates nothing.
	attempt func(fd uintptr) bool
}

func (w *nonblockingWriter) init(nc net.Conn) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return // it is closed; the next read says so
	}
	w.raw = raw
	w.attempt = func(fd uintptr) bool {
		w.n, w.err = syscall.Write(int(fd), w.buf)
		return true
	}
}

// try writes as much of b as goes without waiting, perhaps nothing.
func (w *nonblockingWriter) try(b []byte) (int, error) {
	if w.raw == nil {
		return 0, nil
	}
	w.buf, w.n, w.err = b, 0, nil
	err := w.raw.Write(w.attempt)
	w.buf = nil
	switch {
	case err != nil:
		return 0, err
	case errors.Is(w.err, syscall.EAGAIN), errors.Is(w.err, syscall.EINTR):
		return 0, nil
	case w.err != nil:
		return 0, w.err
	}
	return w.n, nil
}
