package oci

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/hearthd/hearth/internal/sandbox"
)

// peakGauge is the cgroup file with the memory high-water mark, kept open: it
// is read and reset at every invocation, and opening it costs more than all
// the rest.
type peakGauge struct {
	file  *os.File
	reset string // what to write for a new mark; "" where the kernel knows no such thing
	// missing says that there is no mark at all, and file is the present use.
	missing bool
}

func (c control) openPeak() (peakGauge, error) {
	if !c.v2 {
		f, err := os.OpenFile(c.file("memory", "memory.max_usage_in_bytes"), os.O_RDWR, 0)
		return peakGauge{file: f, reset: "0"}, gone(err)
	}
	f, err := os.OpenFile(c.file("memory", "memory.peak"), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) { // before Linux 5.19
		f, err = os.Open(c.file("memory", "memory.current"))
		return peakGauge{file: f, missing: true}, gone(err)
	}
	if err != nil {
		return peakGauge{}, err
	}
	// A mark that was reset is this descriptor's own. Linux before 6.12 takes
	// no write.
	const reset = "reset"
	if _, err := f.WriteAt([]byte(reset), 0); err != nil {
		return peakGauge{file: f}, nil
	}
	return peakGauge{file: f, reset: reset}, nil
}

// read returns bytes.
func (g peakGauge) read() (int64, error) {
	var buf [32]byte
	var n int
	var failed error
	// The file's own ReadAt would read once more, to see its end.
	raw, err := g.file.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { n, failed = unix.Pread(int(fd), buf[:], 0) })
	}
	if err != nil { // in whatever words: the file is closed
		return 0, fmt.Errorf("%w: %w", sandbox.ErrGone, err)
	}
	if failed != nil {
		return 0, gone(failed)
	}
	return strconv.ParseInt(string(bytes.TrimSpace(buf[:n])), 10, 64)
}

// startAnew starts a new mark; without the kernel's help it does nothing, and
// the mark is the whole environment's, as Lambda's own figure is.
func (g peakGauge) startAnew() error {
	if g.reset == "" {
		_, err := g.read() // tells as well whether the cgroup is still there
		return err
	}
	_, err := g.file.WriteAt([]byte(g.reset), 0)
	return goneFile(err)
}

// goneFile is [gone] for a file that was open while its cgroup went.
func goneFile(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("%w: %w", sandbox.ErrGone, err)
	}
	return gone(err)
}
