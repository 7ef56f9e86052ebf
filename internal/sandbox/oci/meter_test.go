package oci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"

	"github.com/hearthd/hearth/internal/sandbox"
)

func measure(t testing.TB, e sandbox.Environment) sandbox.Measures {
	t.Helper()
	m, err := e.Measure()
	must(t, err)
	return m
}

func measureAll(t testing.TB, e sandbox.Environment) sandbox.Measures {
	t.Helper()
	m, err := e.MeasureAll()
	must(t, err)
	if !m.Thorough {
		t.Errorf("not thorough: %+v", m)
	}
	return m
}

func TestMeasuresAreOfOneExecution(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{probe: "memory"})
	l := answer(t, e)
	idle := measure(t, e)
	l.ask(t, "self 60")
	l.ask(t, "self 0")
	big := measure(t, e)
	if mb := big.Peak >> 20; mb < 60 || mb > idle.Peak>>20+60+16 {
		t.Errorf("peak %d MB, when idle %d", mb, idle.Peak>>20)
	}
	if cgroups.IsCgroup2UnifiedMode() {
		return // before Linux 6.12 the mark stays
	}
	if after := measure(t, e); after.Peak>>20 >= 60 {
		t.Errorf("peak %d MB, of an execution before", after.Peak>>20)
	}
}

func TestPageCacheIsNoMemoryInUse(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{probe: "work", attach: sandbox.AttachSpec{Limits: sandbox.Limits{MemoryMB: 512, Pids: 64}}})
	l := answer(t, e)
	before := measureAll(t, e)
	if a := l.ask(t, "write 50"); a != "ok" {
		t.Fatal(a)
	}
	filled := measureAll(t, e) // how much cache there was at the mark is not known
	if filled.Peak < before.Peak {
		t.Errorf("peak %d MB, before %d", filled.Peak>>20, before.Peak>>20)
	}
	l.ask(t, "spin 1")
	after := measureAll(t, e)
	raw, err := e.PeakMemory()
	must(t, err)
	if u, err := e.Usage(); err != nil || u.MemoryBytes>>20 < 50 {
		t.Fatalf("no cache to speak of: %+v, %v", u, err)
	}
	if after.Peak > raw-(45<<20) {
		t.Errorf("peak %d MB of %d with the cache of 50", after.Peak>>20, raw>>20)
	}
	if quick := measure(t, e); quick.Peak > raw-(45<<20) || quick.Peak < 1<<20 {
		t.Errorf("the quick peak is %d MB of %d", quick.Peak>>20, raw>>20)
	}
}

func TestCPUAndThrottlingAreMeasured(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{probe: "work", attach: sandbox.AttachSpec{Limits: sandbox.Limits{MemoryMB: 128, CPUMilli: 72, Pids: 64}}})
	l := answer(t, e)
	measureAll(t, e)
	l.ask(t, "spin 60")
	m := measureAll(t, e)
	if m.CPU < 50*time.Millisecond || m.CPU > 10*time.Second {
		t.Errorf("%v of CPU, want some 60 ms", m.CPU)
	}
	if m.Throttled <= 0 {
		t.Errorf("throttled for %v with a quota of 72/1000 of a CPU", m.Throttled)
	}
	if m.Pids < 1 || m.Pids > 64 {
		t.Errorf("%d processes", m.Pids)
	}
	if m := measure(t, e); m.CPU > 50*time.Millisecond || m.Thorough {
		t.Errorf("measured again: %+v", m)
	}
}

func TestDiskIsMeasured(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{probe: "work"})
	l := answer(t, e)
	measureAll(t, e)
	if a := l.ask(t, "write 8"); a != "ok" {
		t.Fatal(a)
	}
	if m := measureAll(t, e); m.Written < 8<<20 || m.Written > 64<<20 {
		t.Errorf("%d bytes written, want 8 MiB and a little", m.Written)
	}
	if m := measureAll(t, e); m.Written > 1<<20 {
		t.Errorf("%d bytes written by nobody", m.Written)
	}
}

func TestNetworkIsMeasured(t *testing.T) {
	d := newDriver(t, func(o *Options) { o.Egress = true })
	m := newMachine(t, 1)
	e := start(t, newInstance(t, d), job{probe: "work"})
	l := answer(t, e)
	measureAll(t, e)
	for range 5 {
		if a := l.ask(t, "send "+m.address.String()+":9"); a != "ok" {
			t.Fatal(a)
		}
	}
	if got := measureAll(t, e); got.Sent < 5000 || got.Sent > 50_000 {
		t.Errorf("%d bytes sent, want 5,000 and headers", got.Sent)
	}
	if got := measureAll(t, e); got.Sent >= 5000 {
		t.Errorf("%d bytes sent by nobody", got.Sent)
	}
}

func TestMeasuresOfCgroup2(t *testing.T) {
	control, _ := fakeCgroup2(t)
	put := func(name, content string) {
		must(t, os.WriteFile(filepath.Join(control.dirs[""], name), []byte(content), 0o644))
	}
	put("io.stat", "7:3 rbytes=4096 wbytes=1048576 rios=1 wios=2 dbytes=0 dios=0\n254:0 rbytes=8192 wbytes=524288 rios=1 wios=1 dbytes=0 dios=0\n")
	put("pids.peak", "9\n")
	devices := filepath.Join(t.TempDir(), "dev")
	must(t, os.WriteFile(devices, []byte("Inter-|   Receive  | Transmit\n    lo: 77 1 0 0 0 0 0 0 77 1 0 0 0 0 0 0\n  eth0: 300 3 0 0 0 0 0 0 500 5 0 0 0 0 0 0\n"), 0o644))
	m, err := control.openMeter(devices, 128)
	must(t, err)
	t.Cleanup(func() { must(t, m.close()) })
	mark := func(bytes string) { put("memory.peak", bytes) } // opening and measuring write "reset" into the file
	mark("41943040\n")
	got, err := m.measureAll()
	must(t, err)
	want := sandbox.Measures{
		Peak: 40 << 20, CPU: 1500 * time.Millisecond, Thorough: true, Throttled: 250 * time.Millisecond,
		Read: 8192, Written: 1 << 20, Received: 300, Sent: 500, Pids: 9,
	}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	mark("52428800\n")
	put("cpu.stat", "usage_usec 1600000\nuser_usec 1000000\nsystem_usec 500000\nnr_periods 10\nnr_throttled 3\nthrottled_usec 250100\n")
	got, err = m.measure()
	must(t, err)
	// The cache that the last look found, 8 MiB, is taken off.
	if want := (sandbox.Measures{Peak: 42 << 20, CPU: 100 * time.Millisecond}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	mark("25165824\n")
	got, err = m.measure()
	must(t, err)
	if got.Peak != 20<<20 { // and never what was anonymous then, 20 MiB
		t.Errorf("peak %d", got.Peak)
	}
	mark("41943040\n")
	put("memory.stat", "anon 20971520\nfile 2097152\nfile_mapped 1048576\nactive_file 1048576\ninactive_file 1048576\nshmem 0\n")
	got, err = m.measureAll()
	must(t, err)
	if got.Peak != 39<<20 || got.Throttled != 100*time.Microsecond || got.Read != 0 || got.Sent != 0 {
		t.Errorf("%+v", got)
	}
}

func TestPeakOfAKernelWithoutMarkIsTheLimit(t *testing.T) {
	control, _ := fakeCgroup2(t)
	must(t, os.Remove(control.file("memory", "memory.peak")))
	m, err := control.openMeter("", 100)
	must(t, err)
	t.Cleanup(func() { must(t, m.close()) })
	m.limited(96 << 20)
	if got, err := m.measure(); got.Peak != 96<<20 || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCountersOfProcessesThatCome(t *testing.T) {
	self := t.TempDir()
	procs := filepath.Join(self, "cgroup.procs")
	must(t, os.WriteFile(procs, []byte("1\n\n0\nx\n99999999\n"), 0o644))
	f, err := openKernel(procs, unix.O_RDONLY)
	must(t, err)
	defer func() { must(t, f.close()) }()
	g := diskGauge{file: f, processes: map[int]traffic{}}
	if _, _, err := g.since(); err != nil {
		t.Error(err)
	}
	if len(g.processes) > 1 {
		t.Errorf("processes %v", g.processes)
	}
}

func TestFieldsOfKernelFiles(t *testing.T) {
	b := []byte("usage 3\nusage_usec 15\nempty\nlast 7")
	for key, want := range map[string]int64{"usage": 3, "usage_usec": 15, "empty": 0, "last": 7, "usage_use": 0, "none": 0} {
		if got := field(b, key); got != want {
			t.Errorf("%s is %d, want %d", key, got, want)
		}
	}
	if r, s := deviceTraffic([]byte(strings.Repeat("junk\n", 3))); r != 0 || s != 0 {
		t.Errorf("%d, %d of no device", r, s)
	}
}

// BenchmarkMeasure is what the measures after an execution cost.
func BenchmarkMeasure(b *testing.B) {
	e := start(b, newInstance(b, newDriver(b, nil)), job{probe: "work"})
	answer(b, e)
	for name, f := range map[string]func() (sandbox.Measures, error){"quick": e.Measure, "all": e.MeasureAll} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			before := cpuTime()
			for b.Loop() {
				if _, err := f(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
