package oci

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/hearthd/hearth/internal/sandbox"
)

// peakGauge is the cgroup file with the memory high-water mark, kept open: it
// is read after every invocation, and opening it costs more than all the rest.
type peakGauge struct{ file *os.File }

func (c control) openPeak() (peakGauge, error) {
	name := "memory.max_usage_in_bytes"
	if c.v2 {
		name = "memory.peak" // Linux 5.19
	}
	f, err := os.Open(c.file("memory", name))
	if c.v2 && errors.Is(err, fs.ErrNotExist) {
		f, err = os.Open(c.file("memory", "memory.current"))
	}
	return peakGauge{f}, err
}

// read returns bytes.
func (g peakGauge) read() (int64, error) {
	var buf [32]byte
	n, err := g.file.ReadAt(buf[:], 0)
	if errors.Is(err, unix.ENODEV) || errors.Is(err, os.ErrClosed) {
		return 0, fmt.Errorf("%w: %w", sandbox.ErrGone, err)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return strconv.ParseInt(string(bytes.TrimSpace(buf[:n])), 10, 64)
}
