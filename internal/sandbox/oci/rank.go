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
	err := errors.Join(e.control.setCPU(cpuLimitOf(e.limits, r), true), e.control.setRank(r))
	switch sandbox.Last {
	case r:
		err = errors.Join(err, e.control.stepBack())
	case was:
		err = errors.Join(err, e.control.stepUp())
	}
	return err
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

// last is that cgroup in the CPU hierarchy of version 1. The kernel runs what
// is in it only when nothing else wants a processor, and stops it at once when
// something does: the node's own threads, and the functions. A small weight,
// or a nice value, would not do: on a processor that it has it may finish its
// slice, a few milliseconds, before whoever woke up gets there.
//
// With version 2, environments can't leave the node's own branch of the tree,
// where the node's threads are not; there, Last is no more than Behind.
func (c control) last() control {
	return control{dirs: map[string]string{"cpu": filepath.Dir(filepath.Dir(c.dirs["cpu"])) + lastSuffix}}
}

// stepBack moves the processes of the environment there, making the cgroup the
// first time.
func (c control) stepBack() error {
	if c.v2 {
		return nil
	}
	last := c.last()
	err := os.Mkdir(last.dirs["cpu"], 0o755)
	if err == nil {
		err = errors.Join(last.writeKnown("cpu", "cpu.idle", "1"), last.setCPU(portion, true)) // idle since Linux 5.15
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return c.move(last)
}

// stepUp moves them back into the environment's own cgroup.
func (c control) stepUp() error {
	if c.v2 {
		return nil
	}
	return c.move(c)
}

// move moves every process of the environment into a cgroup of the CPU hierarchy.
func (c control) move(to control) error {
	moved := map[int]bool{}
	return c.untilAll("cgroup.procs", func(id int) (did bool, err error) {
		if moved[id] {
			return false, nil
		}
		err = to.write("cpu", "cgroup.procs", strconv.Itoa(id))
		moved[id] = err == nil
		return moved[id], err
	})
}

// renice sets the nice value of every thread of the environment.
func (c control) renice(nice int) error {
	name := "tasks"
	if c.v2 {
		name = "cgroup.threads"
	}
	return c.untilAll(name, func(id int) (did bool, err error) {
		// The system call's own answer is 20 minus the nice value.
		now, err := unix.Getpriority(unix.PRIO_PROCESS, id)
		if err != nil || 20-now == nice {
			return false, nil // it has ended, or there is nothing to do
		}
		err = unix.Setpriority(unix.PRIO_PROCESS, id, nice)
		return err == nil, err
	})
}

// untilAll does something to every process or thread of the environment, as a
// file of its cgroup lists them. One that is made meanwhile is as its maker was:
// when there was nothing left to do, all are done. It goes on without those
// that have ended. The list is that of the pids hierarchy: in the CPU's, they
// may be elsewhere.
func (c control) untilAll(list string, do func(id int) (did bool, err error)) error {
	for left := true; left; {
		left = false
		ids, err := os.ReadFile(c.file("pids", list))
		if err != nil {
			return gone(err)
		}
		for _, field := range bytes.Fields(ids) {
			id, err := strconv.Atoi(string(field))
			if err != nil {
				return err
			}
			did, err := do(id)
			if err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
			left = left || did
		}
	}
	return nil
}
