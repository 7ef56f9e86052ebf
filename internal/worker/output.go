package worker

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hearthd/hearth/internal/telemetry"
)

// output carries what the processes of an environment print to its log. One
// goroutine reads as it comes; drain reads what is there at this moment, so
// that an invocation's lines stand before its END.
type output struct {
	file   *os.File // the pipe; the sandbox closes it
	raw    syscall.RawConn
	stream *telemetry.LogStream

	mu   sync.Mutex // from read(2) to the log: keeps the order
	buf  []byte
	done chan struct{} // closed when the reading goroutine has ended
}

// carry starts reading.
func carry(file *os.File, stream *telemetry.LogStream) (*output, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	o := &output{file: file, raw: raw, stream: stream, buf: make([]byte, 4096), done: make(chan struct{})}
	go o.read()
	return o, nil
}

// read reads until all writers are gone or close is called.
func (o *output) read() {
	defer close(o.done)
	for {
		var state pipeState
		err := o.raw.Read(func(fd uintptr) bool {
			state = o.empty(int(fd))
			return state != pipeEmpty // empty: called again when there is something
		})
		if err != nil || state == pipeEnded {
			return
		}
	}
}

// drain reads what is in the pipe now.
func (o *output) drain() {
	_ = o.raw.Control(func(fd uintptr) { o.empty(int(fd)) }) // fails only when closed
}

// maxDrain bounds how much is read at once: a function that prints without end
// must not hold up its own END.
const maxDrain = 256 << 10

type pipeState int

const (
	pipeEmpty pipeState = iota
	pipeMore            // maxDrain was read, and there may be more
	pipeEnded
)

// empty reads until the pipe is empty, has ended, or has given maxDrain bytes.
func (o *output) empty(fd int) pipeState {
	o.mu.Lock()
	defer o.mu.Unlock()
	for total := 0; total < maxDrain; {
		n, err := unix.Read(fd, o.buf)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return pipeEmpty
		case err != nil || n == 0:
			return pipeEnded
		default:
			total += n
			o.stream.Write(o.buf[:n])
		}
	}
	return pipeMore
}

// close reads what the processes, which have ended, left in the pipe, and
// stops.
func (o *output) close() error {
	o.drain()
	err := o.file.SetReadDeadline(time.Unix(1, 0)) // the past: ends a wait
	<-o.done
	o.stream.Close()
	return err
}
