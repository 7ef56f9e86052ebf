package oci

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/cgroups"

	"github.com/hearthd/hearth/internal/sandbox"
)

// A host has cgroups of version 1 or of version 2, so one of the two is tested
// with files that look as the kernel's do. What matters here is which file is
// read or written, and in what form.

// fakeCgroup2 is a directory with a version 2 cgroup's files.
func fakeCgroup2(t testing.TB) (control, func(name string) string) {
	t.Helper()
	dir := codeDir(t, map[string]string{
		"memory.max":      "134217728\n",
		"memory.swap.max": "0\n",
		"memory.current":  "31457280\n",
		"memory.peak":     "41943040\n",
		"memory.stat":     "anon 20971520\nfile 8388608\nkernel 2097152\nshmem 0\nfile_mapped 0\ninactive_file 4194304\nactive_file 4194304\n",
		"memory.events":   "low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n",
		"cpu.max":         "max 100000\n",
		"cpu.stat":        "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\nnr_periods 10\nnr_throttled 3\nthrottled_usec 250000\n",
		"pids.max":        "max\n",
		"pids.current":    "5\n",
		"cgroup.freeze":   "0\n",
	})
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		return string(b)
	}
	return control{v2: true, dirs: map[string]string{"": dir}}, read
}

func TestControlOfCgroup2SetsLimits(t *testing.T) {
	for _, c := range []struct {
		limits            sandbox.Limits
		rank              sandbox.Rank
		memory, cpu, pids string
	}{
		{sandbox.Limits{MemoryMB: 1769, CPUMilli: 1000, Pids: 1024}, sandbox.Ordinary, "1854930944", "20000 20000", "1024"},
		{sandbox.Limits{MemoryMB: 1024, CPUMilli: 579}, sandbox.Ordinary, "1073741824", "11580 20000", "max"},
		{sandbox.Limits{MemoryMB: 1024}, sandbox.Behind, "1073741824", "1000 4000", "max"},
		{sandbox.Limits{MemoryMB: 1024, Pids: 1024}, sandbox.Ordinary, "1073741824", "max 20000", "1024"},
		{sandbox.Limits{MemoryMB: 1024, CPUMilli: 579, Pids: 1024}, sandbox.Last, "1073741824", "1000 4000", "1024"},
	} {
		control, read := fakeCgroup2(t)
		for _, f := range []string{"memory.max", "cpu.max", "pids.max"} { // the kernel's take a whole value at each write
			must(t, os.Truncate(filepath.Join(control.dirs[""], f), 0))
		}
		must(t, control.setLimits(c.limits))
		must(t, control.setCPU(cpuLimitOf(c.limits, c.rank), true))
		if m, cpu, p := read("memory.max"), read("cpu.max"), read("pids.max"); m != c.memory || cpu != c.cpu || p != c.pids {
			t.Errorf("%+v: memory.max %q, cpu.max %q, pids.max %q", c.limits, m, cpu, p)
		}
		if s := read("memory.swap.max"); s != "0\n" {
			t.Errorf("memory.swap.max %q", s)
		}
	}
}

func TestControlOfCgroup2RefusesAFatalLimit(t *testing.T) {
	control, read := fakeCgroup2(t)
	if err := control.setMemory(16 << 20); !errors.Is(err, sandbox.ErrInUse) {
		t.Errorf("error %v, want ErrInUse", err)
	}
	if m := read("memory.max"); m != "134217728\n" {
		t.Errorf("memory.max %q", m)
	}
}

func TestControlOfCgroup2Reports(t *testing.T) {
	control, _ := fakeCgroup2(t)
	got, err := control.usage()
	must(t, err)
	want := sandbox.Usage{
		MemoryBytes: 30 << 20, CPU: 1500 * time.Millisecond,
		Throttled: 250 * time.Millisecond, OOMKills: 1, Pids: 5,
	}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestPeakGaugeOfCgroup2(t *testing.T) {
	control, read := fakeCgroup2(t)
	gauge := func() peakGauge {
		g, err := control.openPeak()
		must(t, err)
		t.Cleanup(func() { must(t, g.file.close()) })
		return g
	}
	g := gauge() // opening it asks for a reset, to see whether the kernel can
	if s := read("memory.peak"); !strings.HasPrefix(s, "reset") || string(g.reset) != "reset" {
		t.Errorf("memory.peak %q", s)
	}
	must(t, os.WriteFile(control.file("memory", "memory.peak"), []byte("41943040\n"), 0))
	if n, err := g.read(); n != 40<<20 || err != nil {
		t.Errorf("peak %d, %v", n, err)
	}
	must(t, g.startAnew())
	if s := read("memory.peak"); !strings.HasPrefix(s, "reset") {
		t.Errorf("memory.peak %q", s)
	}
	must(t, os.Remove(control.file("memory", "memory.peak"))) // Linux before 5.19
	g = gauge()
	if n, err := g.read(); n != 30<<20 || err != nil {
		t.Errorf("peak %d, %v; want the present use", n, err)
	}
	must(t, g.startAnew())
}

func TestControlOfCgroup2Freezes(t *testing.T) {
	control, read := fakeCgroup2(t)
	must(t, os.Truncate(control.file("freezer", "cgroup.freeze"), 0))
	must(t, control.freeze(true))
	if s := read("cgroup.freeze"); s != "1" {
		t.Errorf("frozen: %q", s)
	}
	must(t, control.freeze(false))
	if s := read("cgroup.freeze"); s != "0" {
		t.Errorf("thawed: %q", s)
	}
}

func TestControlOfACgroupThatIsGone(t *testing.T) {
	for name, c := range map[string]control{
		"version 1": {dirs: map[string]string{"memory": "/nonexistent", "cpu": "/nonexistent", "cpuacct": "/nonexistent", "pids": "/nonexistent", "freezer": "/nonexistent"}},
		"version 2": {v2: true, dirs: map[string]string{"": "/nonexistent"}},
	} {
		t.Run(name, func(t *testing.T) {
			for what, err := range map[string]error{
				"limits": c.setLimits(testLimits),
				"freeze": c.freeze(true),
				"usage":  second(c.usage()),
				"peak":   second(c.openPeak()),
			} {
				if !errors.Is(err, sandbox.ErrGone) {
					t.Errorf("%s: %v, want ErrGone", what, err)
				}
			}
			if n := c.oomKills(); n != 0 {
				t.Errorf("%d processes killed", n)
			}
		})
	}
}

func TestSwapIsForbiddenInCgroup2(t *testing.T) {
	// What libcontainer makes of memory and swap together of the same size.
	const limit = 128 << 20
	if swap, err := cgroups.ConvertMemorySwapToCgroupV2Value(limit, limit); swap != 0 || err != nil {
		t.Errorf("swap %d, %v", swap, err)
	}
}

// A host with version 1 mostly has a version 2 hierarchy as well, without
// limits, in which freezing and killing work as they do with version 2 alone.
func TestFrozenCgroup2IsSwept(t *testing.T) {
	mounts, err := mountPoints(func(kind, _ string) bool { return kind == "cgroup2" })
	must(t, err)
	if len(mounts) == 0 {
		t.Skip("no cgroup2 hierarchy is mounted here")
	}
	path := "/hearth-" + name("frozen")
	dir := filepath.Join(mounts[0], path, "i", "e")
	must(t, os.MkdirAll(dir, 0o755))
	busy := exec.Command("/bin/sh", "-c", "while :; do :; done")
	must(t, busy.Start())
	ended := make(chan error, 1)
	go func() { ended <- busy.Wait() }()
	must(t, cgroups.WriteCgroupProc(dir, busy.Process.Pid))
	must(t, control{v2: true, dirs: map[string]string{"": dir}}.freeze(true))
	eventually(t, "it is frozen", func() bool {
		b, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
		must(t, err)
		return strings.Contains(string(b), "frozen 1")
	})
	must(t, killCgroups(t.Context(), path))
	<-ended //nolint:errcheck // it was killed
	must(t, removeCgroups(path))
	if _, err := os.Stat(filepath.Join(mounts[0], path)); !os.IsNotExist(err) {
		t.Errorf("the cgroup is still there: %v", err)
	}
}

func TestSweepOfNoCgroupAtAll(t *testing.T) {
	must(t, killCgroups(t.Context(), "/hearth-never"))
	must(t, removeCgroups("/hearth-never"))
}
