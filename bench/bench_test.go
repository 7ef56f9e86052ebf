package main

import (
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hearthd/hearth/bench/load"
)

// TestTools runs what needs no node: the baselines, by the client that also
// drives Hearth.
func TestTools(t *testing.T) {
	t.Chdir("..")
	built, err := buildTools(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(built.echo) == 0 {
		t.Error("the echo function is empty")
	}

	t.Run("proxy", func(t *testing.T) {
		echo, err := startServer(t.Context(), built.baseline, "echo")
		if err != nil {
			t.Fatal(err)
		}
		defer stopped(t, echo.stop)
		proxy, err := startServer(t.Context(), built.baseline, "proxy", echo.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer stopped(t, proxy.stop)
		for _, clients := range []int{1, 16} {
			res, err := load.Run(t.Context(), load.Options{
				Key: load.Key{ID: "id", Secret: "secret", Region: "r"}, Addr: proxy.addr, Clients: clients,
				For: 500 * time.Millisecond, Request: invocation("echo", payload),
			})
			if err == nil {
				err = res.Check()
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d clients: p50 %s, p99 %s, %.0f/s", clients, ms(res.Percentile(.5)), ms(res.Percentile(.99)), res.PerSecond())
		}
	})

	t.Run("bare container", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("containers need root")
		}
		bare, err := startBareContainers(t.Context(), built.bareContainer)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			took, err := bare.once()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("create and start: %s", ms(took))
		}
		stopped(t, bare.stop)
	})
}

func stopped(t *testing.T, stop func() error) {
	t.Helper()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	tb := table{out: &b}
	tb.head("a machine")
	tb.row(atMost("slow", 2, 1.5, versus(2*time.Millisecond, time.Millisecond)))
	tb.row(atLeast("fast", 0.7, .6, "(7/s : 10/s)"))
	tb.row(told("said", "%d", 1))
	for _, want := range []string{"a machine\n", "≤ 1.50×    missed   2.00×  (2.000 ms : 1.000 ms)", "≥ 0.60×    met      0.70×  (7/s : 10/s)"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestProcesses(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "sleep 1000 & cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for len(descendants(cmd.Process.Pid)) < 2 {
		runtime.Gosched() // the shell is starting them
	}
	all := descendants(os.Getpid())
	for _, pid := range append(descendants(cmd.Process.Pid), cmd.Process.Pid) {
		if !slices.Contains(all, pid) {
			t.Errorf("%d is not among %v", pid, all)
		}
	}
	for _, pid := range descendants(cmd.Process.Pid) {
		if p, err := os.FindProcess(pid); err == nil {
			p.Kill() //nolint:errcheck // it may have ended
		}
	}
	in.Close()
	cmd.Wait() //nolint:errcheck // killed

	before := cpuOf(os.Getpid())
	for cpuOf(os.Getpid()).since(before) == 0 {
		sha256.Sum256(make([]byte, 1<<20)) // takes time
	}
}

func TestMemoryOfAProcess(t *testing.T) {
	if memInfo("MemAvailable") <= 0 || rss(os.Getpid()) <= 0 || uss(os.Getpid()) <= 0 || uss(os.Getpid()) > rss(os.Getpid()) {
		t.Errorf("available %d, RSS %d, USS %d", memInfo("MemAvailable"), rss(os.Getpid()), uss(os.Getpid()))
	}
}
