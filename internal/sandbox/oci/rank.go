package oci

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/hearthd/hearth/internal/sandbox"
)

const (
	// shares and weight are what cgroups have unless they are told otherwise,
	// in versions 1 and 2; what stands behind others has a tenth.
	shares      = 1024
	weight      = 100
	behindTimes = 10
	// behindNice is the nice value with about a tenth of the usual weight. More
	// would have the others wait for locks of the kernel that a thread holds
	// which does not get to run.
	behindNice = 10
)

// cpuShares and cpuWeight are how an environment of a rank stands against
// others of its instance.
func cpuShares(r sandbox.Rank) uint64 {
	if r != sandbox.Ordinary {
		return shares / behindTimes
	}
	return shares
}

func cpuWeight(r sandbox.Rank) uint64 {
	if r != sandbox.Ordinary {
		return weight / behindTimes
	}
	return weight
}

func niceOf(r sandbox.Rank) int {
	if r != sandbox.Ordinary {
		return behindNice
	}
	return 0
}

// atRank runs f in a thread of that rank, which ends with it. What making an
// environment costs in the node and in the kernel (mounts, namespaces, cgroups)
// is more than what its interpreter needs, and the weight of a cgroup binds
// only what is in it already. Processes that f starts inherit the rank.
func atRank(r sandbox.Rank, f func() error) error {
	if r == sandbox.Ordinary {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, niceOf(r))
		done <- f()
	}()
	return <-done
}

// SetRank changes the rank of an environment that runs.
func (e *environment) SetRank(r sandbox.Rank) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.killed {
		return sandbox.ErrGone
	}
	if e.rank == r {
		return nil
	}
	was := e.rank
	e.rank = r
	var moved error
	switch sandbox.Last {
	case r:
		moved = e.control.stepBack()
	case was:
		moved = e.control.stepUp()
	}
	return errors.Join(moved, e.control.setRank(r))
}

func (c control) setRank(r sandbox.Rank) error {
	var err error
	if c.v2 {
		err = c.write("cpu", "cpu.weight", strconv.FormatUint(cpuWeight(r), 10))
	} else {
		err = c.write("cpu", "cpu.shares", strconv.FormatUint(cpuShares(r), 10))
	}
	return errors.Join(err, c.renice(niceOf(r)))
}

// lastSuffix makes the name of the cgroup of what is [sandbox.Last] from that
// of the node's cgroup, beside which it stands.
const lastSuffix = ".last"

// lastDir is that cgroup in the CPU hierarchy of version 1. The kernel runs what
// is in it only when nothing else wants a processor, and stops it at once when
// something does: the node's own threads, and the functions. A small weight,
// or a nice value, would not do: on a processor that it has it may finish its
// slice, a few milliseconds, before whoever woke up gets there.
//
// With version 2, environments can't leave the node's own branch of the tree,
// where the node's threads are not; there, Last is no more than Behind.
func (c control) lastDir() string {
	return filepath.Dir(filepath.Dir(c.dirs["cpu"])) + lastSuffix
}

// stepBack moves the processes of the environment there, if the kernel knows
// such a thing (Linux 5.15).
func (c control) stepBack() error {
	if c.v2 {
		return nil
	}
	if err := os.Mkdir(c.lastDir(), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	idle, err := os.OpenFile(filepath.Join(c.lastDir(), "cpu.idle"), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = idle.WriteString("1")
	if err = errors.Join(err, idle.Close()); err != nil {
		return err
	}
	return c.move(c.lastDir())
}

// stepUp moves them back into the environment's own cgroup.
func (c control) stepUp() error {
	if c.v2 {
		return nil
	}
	return c.move(c.dirs["cpu"])
}

// move moves every process of the environment into a cgroup of the CPU
// hierarchy. One that is made meanwhile is where its maker was: when nothing was
// left to move, all are there.
func (c control) move(dir string) error {
	moved := map[string]bool{}
	for left := true; left; {
		left = false
		processes, err := os.ReadFile(c.file("pids", "cgroup.procs"))
		if err != nil {
			return gone(err)
		}
		for _, field := range bytes.Fields(processes) {
			id := string(field)
			if moved[id] {
				continue
			}
			switch err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), field, 0); {
			case err == nil:
				moved[id], left = true, true
			case !errors.Is(err, unix.ESRCH):
				return gone(err)
			}
		}
	}
	return nil
}

// renice sets the nice value of every thread of the cgroup. A thread that is
// made meanwhile has its maker's: when nothing was left to set, all are set.
func (c control) renice(nice int) error {
	name := "tasks"
	if c.v2 {
		name = "cgroup.threads"
	}
	for left := true; left; {
		left = false
		threads, err := os.ReadFile(c.file("pids", name)) // in the CPU hierarchy they may be elsewhere
		if err != nil {
			return gone(err)
		}
		for _, field := range bytes.Fields(threads) {
			id, err := strconv.Atoi(string(field))
			if err != nil {
				return err
			}
			// The system call's own answer is 20 minus the nice value.
			now, err := unix.Getpriority(unix.PRIO_PROCESS, id)
			if err != nil || 20-now == nice {
				continue // it has ended, or there is nothing to do
			}
			switch err := unix.Setpriority(unix.PRIO_PROCESS, id, nice); {
			case err == nil:
				left = true
			case !errors.Is(err, unix.ESRCH):
				return err
			}
		}
	}
	return nil
}
