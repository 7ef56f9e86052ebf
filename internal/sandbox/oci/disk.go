package oci

import (
	"bytes"
	"errors"
	"io/fs"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxAsked is how many processes of an environment are asked for what they
// read and wrote. A function is one process, or a few.
const maxAsked = 16

// loopMajor is the device number of loop devices, which /tmp of environments
// lies on.
const loopMajor = "7"

// diskGauge counts the bytes read from and written to disks. Version 2 has
// them in io.stat. Version 1 has counters that recent kernels keep only where
// a limit is set, and none for what is written later by the kernel; there each
// process's own count is taken instead.
type diskGauge struct {
	file      kernelFile // io.stat, or cgroup.procs; none without the controller
	v2        bool
	read      int64 // of version 2, at the last look
	written   int64
	processes map[int]traffic // of version 1
}

type traffic struct{ read, written int64 }

func (c control) openDisk() (diskGauge, error) {
	name := c.file("memory", "cgroup.procs")
	if c.v2 {
		name = c.file("io", "io.stat")
	}
	f, err := openKernel(name, unix.O_RDONLY)
	if c.v2 && errors.Is(err, fs.ErrNotExist) {
		return diskGauge{}, nil
	}
	return diskGauge{file: f, v2: c.v2, processes: map[int]traffic{}}, err
}

// since returns what was read and written since the last call.
func (g *diskGauge) since() (read, written int64, err error) {
	if g.file == 0 {
		return 0, 0, nil
	}
	var buf [4096]byte
	b, err := g.file.read(buf[:])
	if err != nil {
		return 0, 0, err
	}
	if !g.v2 {
		read, written = g.ofProcesses(b)
		return read, written, nil
	}
	total := ioStat(b)
	read, written = total.read-g.read, total.written-g.written
	g.read, g.written = total.read, total.written
	return read, written, nil
}

// ofProcesses sums up what the processes did; the new ones from their
// beginning.
func (g *diskGauge) ofProcesses(pids []byte) (read, written int64) {
	now := make(map[int]traffic, len(g.processes))
	for n := 0; len(pids) > 0 && n < maxAsked; n++ {
		var line []byte
		line, pids, _ = bytes.Cut(pids, []byte{'\n'})
		pid := int(number(line))
		t, ok := processTraffic(pid)
		if pid == 0 || !ok {
			continue // it has ended
		}
		before := g.processes[pid]
		if t.read >= before.read && t.written >= before.written { // else it is another one
			read, written = read+t.read-before.read, written+t.written-before.written
		}
		now[pid] = t
	}
	g.processes = now
	return read, written
}

// processTraffic reads /proc/<pid>/io.
func processTraffic(pid int) (traffic, bool) {
	f, err := openKernel("/proc/"+strconv.Itoa(pid)+"/io", unix.O_RDONLY)
	if err != nil {
		return traffic{}, false
	}
	defer f.close()
	var buf [512]byte
	b, err := f.read(buf[:])
	if err != nil {
		return traffic{}, false
	}
	return traffic{field(b, "read_bytes:"), field(b, "write_bytes:")}, true
}

// ioStat sums up the devices of an io.stat file. What goes to a loop device
// comes again as what its file's device does, or stays in the page cache: the
// greater of the two counts.
func ioStat(b []byte) traffic {
	var loop, other traffic
	for len(b) > 0 {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte{'\n'})
		device, rest, _ := bytes.Cut(line, []byte{' '})
		sum := &other
		if major, _, _ := bytes.Cut(device, []byte{':'}); string(major) == loopMajor {
			sum = &loop
		}
		for len(rest) > 0 {
			var pair []byte
			pair, rest, _ = bytes.Cut(rest, []byte{' '})
			key, value, _ := bytes.Cut(pair, []byte{'='})
			switch string(key) {
			case "rbytes":
				sum.read += number(value)
			case "wbytes":
				sum.written += number(value)
			}
		}
	}
	return traffic{max(loop.read, other.read), max(loop.written, other.written)}
}
