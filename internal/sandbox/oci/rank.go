package oci

import (
	"bytes"
	"errors"
	"os"
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
	if r == sandbox.Behind {
		return shares / behindTimes
	}
	return shares
}

func cpuWeight(r sandbox.Rank) uint64 {
	if r == sandbox.Behind {
		return weight / behindTimes
	}
	return weight
}

func niceOf(r sandbox.Rank) int {
	if r == sandbox.Behind {
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
	e.rank = r
	return e.control.setRank(r)
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

// renice sets the nice value of every thread of the cgroup. A thread that is
// made meanwhile has its maker's: when nothing was left to set, all are set.
func (c control) renice(nice int) error {
	name := "tasks"
	if c.v2 {
		name = "cgroup.threads"
	}
	for left := true; left; {
		left = false
		threads, err := os.ReadFile(c.file("cpu", name))
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
