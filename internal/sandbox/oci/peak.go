package oci

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// peakGauge is the cgroup file with the memory high-water mark, kept open: it
// is read and reset at every invocation, and opening it costs more than all
// the rest.
type peakGauge struct {
	file  kernelFile
	reset []byte // what to write for a new mark; nil where the kernel knows no such thing
	// missing says that there is no mark at all, and file is the present use.
	missing bool
}

func (c control) openPeak() (peakGauge, error) {
	if !c.v2 {
		f, err := openKernel(c.file("memory", "memory.max_usage_in_bytes"), unix.O_RDWR)
		return peakGauge{file: f, reset: []byte("0")}, err
	}
	f, err := openKernel(c.file("memory", "memory.peak"), unix.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) { // before Linux 5.19
		f, err = openKernel(c.file("memory", "memory.current"), unix.O_RDONLY)
		return peakGauge{file: f, missing: true}, err
	}
	if err != nil {
		return peakGauge{}, err
	}
	// A mark that was reset is this descriptor's own. Linux before 6.12 takes
	// no write.
	reset := []byte("reset")
	if f.write(reset) != nil {
		return peakGauge{file: f}, nil
	}
	return peakGauge{file: f, reset: reset}, nil
}

// read returns bytes.
func (g peakGauge) read() (int64, error) {
	var buf [32]byte
	b, err := g.file.read(buf[:])
	return number(b), err
}

// startAnew starts a new mark; without the kernel's help it does nothing, and
// the mark is the whole environment's, as Lambda's own figure is.
func (g peakGauge) startAnew() error {
	if g.reset == nil {
		_, err := g.read() // tells as well whether the cgroup is still there
		return err
	}
	return g.file.write(g.reset)
}
