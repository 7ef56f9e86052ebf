package oci

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hearthd/hearth/internal/sandbox"
)

// standing reads an environment's weight and the nice values of its threads.
func standing(t testing.TB, e sandbox.Environment) (weight string, nices map[int]bool) {
	t.Helper()
	c := e.(*environment).control
	weightFile, threadsFile := "cpu.shares", "tasks"
	if c.v2 {
		weightFile, threadsFile = "cpu.weight", "cgroup.threads"
	}
	b, err := os.ReadFile(c.file("cpu", weightFile))
	must(t, err)
	threads, err := os.ReadFile(c.file("pids", threadsFile))
	must(t, err)
	nices = map[int]bool{}
	for _, field := range bytes.Fields(threads) {
		id, err := strconv.Atoi(string(field))
		must(t, err)
		if now, err := unix.Getpriority(unix.PRIO_PROCESS, id); err == nil {
			nices[20-now] = true
		}
	}
	return strings.TrimSpace(string(b)), nices
}

// What is made behind others stands behind them, processes and all, until it is
// told otherwise; the node's own threads are as they were.
func TestRank(t *testing.T) {
	for _, rank := range []sandbox.Rank{sandbox.Behind, sandbox.Last} {
		testRank(t, rank)
	}
}

func testRank(t *testing.T, rank sandbox.Rank) {
	i := newInstance(t, newDriver(t, nil))
	e, err := i.Boot(t.Context(), name("behind"), sandbox.BootSpec{
		Argv: []string{"/bin/sh", "-c", "sleep 1000 & wait"}, Limits: sandbox.Limits{MemoryMB: 64, Pids: 64}, TmpMB: 16, Rank: rank,
	})
	must(t, err)
	t.Cleanup(func() {
		e.Kill()
		must(t, e.Release())
	})
	ordinary := map[string]string{"102": "1024", "10": "100"} // versions 1 and 2
	weight, nices := standing(t, e)
	if ordinary[weight] == "" || len(nices) != 1 || !nices[behindNice] {
		t.Errorf("made behind others: weight %s, nice values %v", weight, nices)
	}
	elsewhere := rank == sandbox.Last && !e.(*environment).control.v2
	if own := processes(t, e, "cpu"); (len(own) == 0) != elsewhere {
		t.Errorf("rank %d: %d processes are in the environment's own cgroup", rank, len(own))
	}
	if now := cpuLimits(t, e); now != "1000 4000" {
		t.Errorf("rank %d: CPU limit %s", rank, now)
	}
	must(t, e.SetLimits(sandbox.Limits{MemoryMB: 64, Pids: 64, CPUMilli: 500}))
	must(t, e.SetRank(sandbox.Ordinary))
	if now := cpuLimits(t, e); now != "10000 20000" {
		t.Errorf("CPU limit %s after rank %d", now, rank)
	}
	if own, all := processes(t, e, "cpu"), processes(t, e, "pids"); len(own) == 0 || len(own) != len(all) {
		t.Errorf("%d of %d processes are back in the environment's own cgroup", len(own), len(all))
	}
	eventually(t, "all threads are ordinary", func() bool {
		now, nices := standing(t, e)
		return now == ordinary[weight] && len(nices) == 1 && nices[0]
	})
	own, err := os.ReadDir("/proc/self/task")
	must(t, err)
	for _, thread := range own {
		id, err := strconv.Atoi(thread.Name())
		must(t, err)
		if now, err := unix.Getpriority(unix.PRIO_PROCESS, id); err == nil && 20-now == behindNice {
			if _, still := os.Stat("/proc/self/task/" + thread.Name()); still == nil {
				eventually(t, "the node's thread ends", func() bool {
					_, err := os.Stat("/proc/self/task/" + thread.Name())
					return err != nil
				})
			}
		}
	}
}

// cpuLimits reads an environment's quota, which in version 2 is one line.
func cpuLimits(t testing.TB, e sandbox.Environment) string {
	t.Helper()
	c, out := e.(*environment).control, []string{}
	files := []string{"cpu.cfs_quota_us", "cpu.cfs_period_us"}
	if c.v2 {
		files = []string{"cpu.max"}
	}
	for _, f := range files {
		b, err := os.ReadFile(c.file("cpu", f))
		must(t, err)
		out = append(out, strings.TrimSpace(string(b)))
	}
	return strings.Replace(strings.Join(out, " "), "max", "-1", 1)
}

// processes lists those in the environment's own cgroup of a hierarchy.
func processes(t testing.TB, e sandbox.Environment, controller string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(e.(*environment).control.file(controller, "cgroup.procs"))
	must(t, err)
	return bytes.Fields(b)
}

// An environment that runs changes its rank with all that it has started, and
// may be killed in any of them.
func TestRankOfARunningEnvironment(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{script: "sleep 1000 & sleep 1000 & wait"})
	eventually(t, "its children are there", func() bool { return len(processes(t, e, "pids")) == 4 })
	all := len(processes(t, e, "pids"))
	must(t, e.SetRank(sandbox.Last))
	if own := processes(t, e, "cpu"); (len(own) == 0) == e.(*environment).control.v2 {
		t.Errorf("%d processes stayed", len(own))
	}
	must(t, e.SetRank(sandbox.Ordinary))
	if own := processes(t, e, "cpu"); len(own) != all {
		t.Errorf("%d of %d processes came back", len(own), all)
	}
	must(t, e.SetRank(sandbox.Last))
	e.Kill()
	if _, exit := finish(t, e); exit.Signal != 9 {
		t.Errorf("exit %+v", exit)
	}
}
