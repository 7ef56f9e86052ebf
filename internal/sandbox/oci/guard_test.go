package oci

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hearthd/hearth/internal/sandbox"
)

// growing returns what Guard takes: it raises the limit by step MiB, at most
// to most, and counts.
func growing(e sandbox.Environment, step, most int) (grow func() bool, grown *atomic.Int64) {
	grown = &atomic.Int64{}
	limit := testLimits.MemoryMB
	return func() bool {
		if limit+step > most {
			return false
		}
		limit += step
		l := testLimits
		l.MemoryMB = limit
		if e.SetLimits(l) != nil {
			return false
		}
		grown.Add(1)
		return true
	}, grown
}

func TestGuardedEnvironmentGrows(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{probe: "memory"})
	l := answer(t, e)
	grow, grown := growing(e, 64, 512)
	must(t, e.Guard(grow))
	if a := l.ask(t, "self 60"); a != "ok" || grown.Load() != 0 {
		t.Errorf("grown %d times without need", grown.Load())
	}
	for _, what := range []string{"self 200", "self 0", "child 250", "self 200"} {
		if a := l.ask(t, what); a != "ok" && a != "<nil>" {
			t.Errorf("%s: %s", what, a)
		}
	}
	if n := grown.Load(); n < 2 || n > 4 {
		t.Errorf("grown %d times by 64 MB to hold 250", n)
	}
	u, err := e.Usage()
	must(t, err)
	if u.OOMKills != 0 {
		t.Errorf("%d processes were killed", u.OOMKills)
	}
}

// However long it takes to find the memory, nobody is killed meanwhile.
func TestGuardedEnvironmentWaitsToGrow(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{probe: "memory"})
	if e.(*environment).control.v2 {
		t.Skip("with version 2 the kernel slows processes down and does not stop them")
	}
	l := answer(t, e)
	grow, grown := growing(e, 256, 512)
	asked, found := make(chan struct{}, 8), make(chan struct{})
	must(t, e.Guard(func() bool {
		asked <- struct{}{}
		<-found
		return grow()
	}))
	_, err := l.Write([]byte("self 200\n"))
	must(t, err)
	<-asked
	eventually(t, "it stands still", func() bool {
		_, _, still, err := e.(*environment).control.pressure()
		must(t, err)
		return still
	})
	if n := grown.Load(); n != 0 {
		t.Errorf("grown %d times already", n)
	}
	close(found)
	if s, err := l.r.ReadString('\n'); s != "ok\n" || err != nil {
		t.Errorf("answer %q, %v", s, err)
	}
}

func TestGuardThatCannotGrowLeavesItToTheKernel(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	for name, grow := range map[string]func(e sandbox.Environment) func() bool{
		"at once": func(sandbox.Environment) func() bool { return func() bool { return false } },
		"later":   func(e sandbox.Environment) func() bool { grow, _ := growing(e, 32, 192); return grow },
	} {
		e := start(t, i, job{probe: "memory"})
		l := answer(t, e)
		must(t, e.Guard(grow(e)))
		_, err := l.Write([]byte("self 250\n"))
		must(t, err)
		if _, exit := finish(t, e); exit != (sandbox.Exit{Code: -1, Signal: 9, OOM: true}) {
			t.Errorf("%s: exit %+v, want out of memory", name, exit)
		}
	}
}

func TestGuardIsArmedAnew(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{probe: "memory"})
	l := answer(t, e)
	var may atomic.Bool
	grow, _ := growing(e, 128, 512)
	must(t, e.Guard(func() bool { return may.Load() && grow() }))
	if a := l.ask(t, "child 200"); a != "signal: killed" {
		t.Errorf("a child that could not grow: %s", a)
	}
	may.Store(true)
	must(t, e.Guard(grow))
	if a := l.ask(t, "child 200"); a != "<nil>" {
		t.Errorf("a child that could: %s", a)
	}
}

// Cache fills any limit, and is no reason to grow.
func TestPageCacheDoesNotGrow(t *testing.T) {
	dir := codeDir(t, nil)
	big := filepath.Join(dir, "big")
	must(t, os.WriteFile(big, nil, 0o644))
	must(t, os.Truncate(big, 300<<20))
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{script: "cat /var/task/big | wc -c; read x < /dev/null; echo done", attach: sandbox.AttachSpec{TaskDir: dir}})
	grow, grown := growing(e, 64, 512)
	must(t, e.Guard(grow))
	if out, exit := finish(t, e); !strings.Contains(out, "314572800\ndone") || exit.Code != 0 || exit.OOM {
		t.Errorf("%q, %+v", out, exit)
	}
	if n := grown.Load(); n != 0 {
		t.Errorf("grown %d times for page cache", n)
	}
}

func TestGuardedEnvironmentCanBeKilledWhileItStandsStill(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{probe: "memory"})
	l := answer(t, e)
	asked, killed := make(chan struct{}, 8), make(chan struct{})
	must(t, e.Guard(func() bool {
		asked <- struct{}{}
		<-killed
		return false
	}))
	_, err := l.Write([]byte("self 200\n"))
	must(t, err)
	<-asked
	e.Kill()
	<-e.Done()
	close(killed)
	must(t, e.Release())
}

func TestFrozenEnvironmentIsResized(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{probe: "memory"})
	l := answer(t, e)
	must(t, e.Freeze())
	for _, mb := range []int{512, 96} {
		must(t, e.SetLimits(sandbox.Limits{MemoryMB: mb, CPUMilli: mb, Pids: 64}))
	}
	must(t, e.Thaw())
	if a := l.ask(t, "self 20"); a != "ok" {
		t.Errorf("answer %q", a)
	}
}

func TestGuardOfCgroup2(t *testing.T) {
	control, read := fakeCgroup2(t)
	put := func(name, content string) {
		must(t, os.WriteFile(filepath.Join(control.dirs[""], name), []byte(content), 0o644))
	}
	watch, err := openFileWatch()
	must(t, err)
	t.Cleanup(func() { must(t, watch.close()) })
	calls, may := make(chan struct{}, 64), atomic.Bool{}
	may.Store(true)
	g := &guard{control: control, watch: watch, grow: func() bool { calls <- struct{}{}; return may.Load() }}
	put("memory.high", "")
	must(t, g.arm(128<<20))
	if s := read("memory.high"); s != "125829120" {
		t.Errorf("memory.high %q, want a sixteenth less than the limit", s)
	}
	// An event while the memory is page cache for the most part.
	put("memory.current", "127000000\n")
	put("memory.stat", "anon 20971520\nfile_mapped 0\ninactive_file 100000000\nactive_file 0\n")
	before := g.looks.Load()
	put("memory.events", "low 0\nhigh 1\nmax 0\noom 0\noom_kill 0\n")
	eventually(t, "it was looked at", func() bool { return g.looks.Load() > before })
	select {
	case <-calls:
		t.Error("grown for page cache")
	default:
	}
	put("memory.stat", "anon 126900000\nfile_mapped 0\ninactive_file 0\nactive_file 0\n")
	put("memory.events", "low 0\nhigh 2\nmax 0\noom 0\noom_kill 0\n")
	<-calls
	put("memory.high", "")
	must(t, g.limited(256<<20))
	if s := read("memory.high"); s != "251658240" {
		t.Errorf("memory.high %q after growth", s)
	}
	// Refused: the kernel's limit is the end.
	may.Store(false)
	put("memory.current", "252000000\n")
	put("memory.high", "")
	put("memory.events", "low 0\nhigh 3\nmax 0\noom 0\noom_kill 0\n")
	<-calls
	eventually(t, "the watermark is gone", func() bool { return read("memory.high") == "max" })
	must(t, g.limited(512<<20))
	if s := read("memory.high"); s != "max" {
		t.Errorf("memory.high %q although disarmed", s)
	}
	g.close()
}
