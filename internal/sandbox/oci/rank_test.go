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
	threads, err := os.ReadFile(c.file("cpu", threadsFile))
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
	i := newInstance(t, newDriver(t, nil))
	e, err := i.Boot(t.Context(), name("behind"), sandbox.BootSpec{
		Argv: []string{"/bin/sh", "-c", "sleep 1000 & wait"}, Limits: sandbox.Limits{MemoryMB: 64, Pids: 64}, TmpMB: 16, Rank: sandbox.Behind,
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
	must(t, e.SetRank(sandbox.Ordinary))
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
