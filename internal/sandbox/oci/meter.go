package oci

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hearthd/hearth/internal/sandbox"
)

// meter takes an environment's measures, see [sandbox.Measures]. The files are
// kept open: to open one costs more than to read it.
//
// Page cache counts as memory in use, and a function that reads or writes many
// files fills its limit with it without needing it: the kernel takes it back
// before it refuses anything. So the mark of memory in use is lowered by the
// cache. How much cache there was at the moment of the mark is not known, but
// it was at least the lesser of what there was before and after, unless cache
// was dropped in between and came again; that is what is taken off. Cache that
// is mapped into a process (the code of a program) is not taken off: without it
// the function would run, but crawl.
//
// Measure, the cheap way, takes off what the last look found, and at most so
// much that the anonymous memory found then remains.
type meter struct {
	control control
	devices string // the file with the counters of its network devices; "" without egress

	mu     sync.Mutex // held while a file is read, so that nobody closes it
	closed bool
	peak   peakGauge
	cpu    kernelFile // cpuacct.usage, or cpu.stat with version 2
	all    *dearGauges
	// limit is the memory limit, which stands for a mark that is not to be had.
	limit int64

	usedCPU   time.Duration // totals at the last measures
	throttled time.Duration
	received  int64
	sent      int64
	cache     int64 // at the last thorough measures: what could be taken back,
	anonymous int64 // and what couldn't
}

// dearGauges are the files of thorough measures, opened by the first.
type dearGauges struct {
	memory, cpu, pids kernelFile // pids is none before Linux 6.6
	net               kernelFile // none without egress
	disk              diskGauge
}

func (c control) openMeter(devices string, limitMB int) (*meter, error) {
	m := &meter{control: c, devices: devices, limit: int64(limitMB) << 20}
	var err error
	if m.peak, err = c.openPeak(); err != nil {
		return nil, err
	}
	if m.cpu, err = openKernel(c.cpuFile(), unix.O_RDONLY); err != nil {
		return nil, errors.Join(err, m.peak.file.close())
	}
	return m, nil
}

// cpuFile has the CPU time used. With version 2 the throttled time stands
// beside it.
func (c control) cpuFile() string {
	if c.v2 {
		return c.file("cpu", "cpu.stat")
	}
	return c.file("cpuacct", "cpuacct.usage")
}

func (m *meter) openDear() (_ *dearGauges, err error) {
	c, g := m.control, &dearGauges{}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close())
		}
	}()
	if g.memory, err = openKernel(c.file("memory", "memory.stat"), unix.O_RDONLY); err != nil {
		return nil, err
	}
	if g.cpu, err = openKernel(c.file("cpu", "cpu.stat"), unix.O_RDONLY); err != nil {
		return nil, err
	}
	if g.pids, err = openKernel(c.file("pids", "pids.peak"), unix.O_RDONLY); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	if m.devices != "" {
		if g.net, err = openKernel(m.devices, unix.O_RDONLY); err != nil {
			return nil, err
		}
	}
	if g.disk, err = c.openDisk(); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *dearGauges) close() error {
	var errs []error
	for _, f := range []kernelFile{g.memory, g.cpu, g.pids, g.net, g.disk.file} {
		errs = append(errs, f.close())
	}
	return errors.Join(errs...)
}

func (m *meter) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	errs := []error{m.peak.file.close(), m.cpu.close()}
	if m.all != nil {
		errs = append(errs, m.all.close())
	}
	return errors.Join(errs...)
}

// limited tells the meter of a new memory limit.
func (m *meter) limited(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limit = bytes
}

// lock is for all that reads the files; it fails when they are closed.
func (m *meter) lock() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return fmt.Errorf("%w: it was released", sandbox.ErrGone)
	}
	return nil
}

// high is the high-water mark as the kernel has it, page cache and all.
func (m *meter) high() (int64, error) {
	if err := m.lock(); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	return m.peak.read()
}

func (m *meter) startAnew() error {
	if err := m.lock(); err != nil {
		return err
	}
	defer m.mu.Unlock()
	return m.peak.startAnew()
}

func (m *meter) measure() (sandbox.Measures, error) {
	if err := m.lock(); err != nil {
		return sandbox.Measures{}, err
	}
	defer m.mu.Unlock()
	return m.quick()
}

func (m *meter) quick() (sandbox.Measures, error) {
	mark, err := m.mark()
	if err != nil {
		return sandbox.Measures{}, err
	}
	var buf [512]byte
	b, err := m.cpu.read(buf[:])
	if err != nil {
		return sandbox.Measures{}, err
	}
	used := time.Duration(number(b))
	if m.control.v2 {
		used = time.Duration(field(b, "usage_usec")) * time.Microsecond
	}
	out := sandbox.Measures{Peak: m.working(mark), CPU: used - m.usedCPU}
	m.usedCPU = used
	return out, nil
}

// mark reads the high-water mark and begins a new one.
func (m *meter) mark() (int64, error) {
	mark, err := m.peak.read()
	if err != nil {
		return 0, err
	}
	if m.peak.missing {
		mark = max(mark, m.limit)
	}
	return mark, m.peak.startAnew()
}

// working is the mark without the cache.
func (m *meter) working(mark int64) int64 { return max(mark-m.cache, min(mark, m.anonymous)) }

func (m *meter) measureAll() (sandbox.Measures, error) {
	if err := m.lock(); err != nil {
		return sandbox.Measures{}, err
	}
	defer m.mu.Unlock()
	if m.all == nil {
		all, err := m.openDear()
		if err != nil {
			return sandbox.Measures{}, err
		}
		m.all = all
	}
	var buf [4096]byte
	b, err := m.all.memory.read(buf[:])
	if err != nil {
		return sandbox.Measures{}, err
	}
	before, now := m.cache, m.control.reclaimable(b)
	m.cache, m.anonymous = min(before, now), m.control.anonymous(b)
	out, err := m.quick()
	m.cache = now
	if err != nil {
		return out, err
	}
	if b, err = m.all.cpu.read(buf[:]); err != nil {
		return out, err
	}
	throttled := time.Duration(field(b, "throttled_time"))
	if m.control.v2 {
		throttled = time.Duration(field(b, "throttled_usec")) * time.Microsecond
	}
	out.Throttled, m.throttled = throttled-m.throttled, throttled
	if m.all.pids != 0 {
		if b, err = m.all.pids.read(buf[:]); err != nil {
			return out, err
		}
		out.Pids = int(number(b))
	}
	if out.Read, out.Written, err = m.all.disk.since(); err != nil {
		return out, err
	}
	if m.all.net != 0 {
		if b, err = m.all.net.read(buf[:]); err != nil {
			return out, err
		}
		received, sent := deviceTraffic(b)
		out.Received, out.Sent = received-m.received, sent-m.sent
		m.received, m.sent = received, sent
	}
	out.Thorough = true
	return out, nil
}

// reclaimable is the page cache that the kernel takes back when memory is
// short: of files, and mapped by nobody. stat is the content of memory.stat.
func (c control) reclaimable(stat []byte) int64 {
	files, mapped := field(stat, "inactive_file")+field(stat, "active_file"), "mapped_file"
	if c.v2 {
		mapped = "file_mapped"
	}
	return max(0, files-field(stat, mapped))
}

// anonymous is the memory that can only be freed by the one who took it.
func (c control) anonymous(stat []byte) int64 {
	own := "rss"
	if c.v2 {
		own = "anon"
	}
	return field(stat, own) + field(stat, "shmem")
}

// deviceTraffic reads eth0's line of a net/dev file: the bytes received are its
// first number, those sent its ninth.
func deviceTraffic(b []byte) (received, sent int64) {
	_, line, _ := bytes.Cut(b, []byte("eth0:"))
	line, _, _ = bytes.Cut(line, []byte{'\n'})
	if f := bytes.Fields(line); len(f) > 8 {
		return number(f[0]), number(f[8])
	}
	return 0, 0
}

// number parses a file that is one number; 0 where it is none.
func number(b []byte) int64 {
	n, _ := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	return n
}

// field finds the number of a "key value" line; 0 where there is none.
func field(b []byte, key string) int64 {
	for len(b) > 0 {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte{'\n'})
		if len(line) > len(key) && line[len(key)] == ' ' && string(line[:len(key)]) == key {
			return number(line[len(key)+1:])
		}
	}
	return 0
}
