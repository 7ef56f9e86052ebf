package oci

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/cgroups"

	"github.com/hearthd/hearth/internal/sandbox"
)

// limitsOf reads an environment's limits where the kernel keeps them.
func limitsOf(t testing.TB, e sandbox.Environment) map[string]string {
	t.Helper()
	c := e.(*environment).control
	files := map[string][2]string{
		"memory": {"memory", "memory.limit_in_bytes"},
		"swap":   {"memory", "memory.memsw.limit_in_bytes"},
		"cpu":    {"cpu", "cpu.cfs_quota_us"},
		"pids":   {"pids", "pids.max"},
	}
	if cgroups.IsCgroup2UnifiedMode() {
		files = map[string][2]string{"memory": {"", "memory.max"}, "swap": {"", "memory.swap.max"}, "cpu": {"", "cpu.max"}, "pids": {"", "pids.max"}}
	}
	got := map[string]string{}
	for what, f := range files {
		b, err := os.ReadFile(c.file(f[0], f[1]))
		if what == "swap" && os.IsNotExist(err) {
			continue
		}
		must(t, err)
		got[what], _, _ = strings.Cut(strings.TrimSpace(string(b)), " ")
	}
	return got
}

func TestLimitsChangeInPlace(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{probe: "echo"})
	l := answer(t, e)
	noQuota, noSwap := "-1", func(mb int) string { return strconv.Itoa(mb << 20) }
	if cgroups.IsCgroup2UnifiedMode() {
		noQuota, noSwap = "max", func(int) string { return "0" }
	}
	for _, c := range []struct {
		limits    sandbox.Limits
		cpu, pids string
	}{
		{sandbox.Limits{MemoryMB: 128, CPUMilli: 72, Pids: 64}, "1440", "64"},
		{sandbox.Limits{MemoryMB: 1769, CPUMilli: 1000, Pids: 1024}, "20000", "1024"},
		{sandbox.Limits{MemoryMB: 256, Pids: 32}, noQuota, "32"},
		{sandbox.Limits{MemoryMB: 10240, CPUMilli: 5788}, "115760", "max"},
		{sandbox.Limits{MemoryMB: 128, CPUMilli: 1, Pids: 64}, "1000", "64"}, // the kernel's least
	} {
		must(t, e.SetLimits(c.limits))
		got := limitsOf(t, e)
		want := map[string]string{"memory": strconv.Itoa(c.limits.MemoryMB << 20), "swap": noSwap(c.limits.MemoryMB), "cpu": c.cpu, "pids": c.pids}
		for what := range got {
			if got[what] != want[what] {
				t.Errorf("%+v: %s is %s, want %s", c.limits, what, got[what], want[what])
			}
		}
		if a := l.ask(t, "still there"); a != "still there" {
			t.Errorf("answer %q", a)
		}
	}
}

func TestMemoryInUseIsNotTakenAway(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{probe: "memory", attach: sandbox.AttachSpec{Limits: sandbox.Limits{MemoryMB: 256, Pids: 64}}})
	l := answer(t, e)
	l.ask(t, "self 150")
	if err := e.SetLimits(sandbox.Limits{MemoryMB: 128, Pids: 64}); err == nil {
		t.Error("the limit went below what is in use")
	}
	if a := l.ask(t, "self 50"); a != "ok" {
		t.Errorf("answer %q", a)
	}
	must(t, e.SetLimits(sandbox.Limits{MemoryMB: 128, Pids: 64}))
}

func TestPeakMemoryIsMeasuredAnewAfterReset(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{probe: "memory"})
	l := answer(t, e)
	peak := func() int64 {
		n, err := e.PeakMemory()
		must(t, err)
		return n >> 20
	}
	before := peak()
	l.ask(t, "self 60")
	l.ask(t, "self 0")
	if mb := peak(); mb < 60 || mb > before+61+16 {
		t.Errorf("peak %d MB, before %d", mb, before)
	}
	u, err := e.Usage()
	must(t, err)
	if u.MemoryBytes>>20 >= 60 || u.PeakMemoryBytes>>20 < 60 {
		t.Errorf("usage %+v", u)
	}
	must(t, e.ResetPeak())
	if mb := peak(); mb >= 60 && !cgroups.IsCgroup2UnifiedMode() {
		t.Errorf("peak %d MB after reset", mb)
	}
}

func TestOutOfMemoryIsReported(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	other := start(t, i, job{probe: "echo"})
	otherLine := answer(t, other)

	e := start(t, i, job{probe: "memory"})
	l := answer(t, e)
	_, err := l.Write([]byte("self 200\n"))
	must(t, err)
	if _, exit := finish(t, e); exit != (sandbox.Exit{Code: -1, Signal: 9, OOM: true}) {
		t.Errorf("exit %+v, want out of memory", exit)
	}

	// A child's end need not be the runtime's.
	e = start(t, i, job{probe: "memory"})
	l = answer(t, e)
	if a := l.ask(t, "child 200"); a != "signal: killed" {
		t.Errorf("the child's end: %s", a)
	}
	u, err := e.Usage()
	must(t, err)
	if u.OOMKills == 0 {
		t.Error("not counted")
	}
	l.Close()
	if _, exit := finish(t, e); exit != (sandbox.Exit{OOM: true}) {
		t.Errorf("exit %+v, want 0, out of memory", exit)
	}
	if a := otherLine.ask(t, "unharmed"); a != "unharmed" {
		t.Error("another environment suffered")
	}
}

// A bomb that its own limit cannot put out: a shell that may not fork ends, and
// with the first of them would end all, so the first only waits, and does not
// bury the dead, which count as processes.
const forkBomb = "bomb() { while :; do bomb & done; }; bomb & exec sleep 1000"

func TestForkBombIsBounded(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{script: forkBomb})
	eventually(t, "the bomb fills its limit", func() bool {
		u, err := e.Usage()
		must(t, err)
		if u.Pids > int64(testLimits.Pids) {
			t.Fatalf("%d processes", u.Pids)
		}
		return u.Pids > int64(testLimits.Pids)*3/4
	})
	if out, exit := run(t, i, job{script: "echo unharmed"}); out != "unharmed\n" || exit.Code != 0 {
		t.Errorf("another environment: exit %+v, output %q", exit, out)
	}
	e.Kill()
	finish(t, e)
}

// To die takes CPU time, which a small quota shares among all of a bomb.
func TestForkBombOfASmallShareCanBeKilled(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	limits := sandbox.Limits{MemoryMB: 128, CPUMilli: 72, Pids: 512}
	e := start(t, i, job{script: forkBomb, attach: sandbox.AttachSpec{Limits: limits}})
	eventually(t, "the bomb has grown", func() bool {
		u, err := e.Usage()
		must(t, err)
		return u.Pids > int64(limits.Pids)/2
	})
	e.Kill()
	finish(t, e)
}

func TestInstanceBoundsItsEnvironmentsTogether(t *testing.T) {
	d := newDriver(t, nil)
	i, err := d.CreateInstance(t.Context(), "small", sandbox.Capacity{MemoryMB: 256, CPUMilli: 1000, Pids: 1024})
	must(t, err)
	roomy := sandbox.AttachSpec{Limits: sandbox.Limits{MemoryMB: 256, Pids: 64}}
	a, b := start(t, i, job{probe: "memory", attach: roomy}), start(t, i, job{probe: "memory", attach: roomy})
	la, lb := answer(t, a), answer(t, b)
	la.ask(t, "self 120")
	_, err = lb.Write([]byte("self 200\n"))
	must(t, err)
	// One of the two must go, by the kernel's choice.
	select {
	case <-a.Done():
	case <-b.Done():
	}
}

func TestFrozenEnvironmentStandsStill(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{probe: "echo"})
	l := answer(t, e)
	cpu := func() int64 {
		u, err := e.Usage()
		must(t, err)
		return int64(u.CPU)
	}
	moves := func() bool {
		for was, n := cpu(), 0; n < 2000; n++ {
			if cpu() != was {
				return true
			}
		}
		return false
	}
	for range 3 {
		if !moves() {
			t.Error("it does not compute")
		}
		must(t, e.Freeze())
		eventually(t, "it stands still", func() bool { return !moves() })
		must(t, e.Thaw())
		if a := l.ask(t, "awake"); a != "awake" {
			t.Errorf("answer %q", a)
		}
	}
}

func TestFrozenEnvironmentCanBeKilled(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{script: "while :; do :; done"})
	must(t, e.Freeze())
	e.Kill()
	if err := e.Freeze(); !errors.Is(err, sandbox.ErrGone) {
		t.Errorf("freeze after kill: %v, want ErrGone", err)
	}
	if _, exit := finish(t, e); exit.Signal != 9 {
		t.Errorf("exit %+v", exit)
	}
}
