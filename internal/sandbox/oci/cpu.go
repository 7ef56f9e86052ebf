package oci

import (
	"errors"
	"os"
	"strconv"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"

	"github.com/hearthd/hearth/internal/sandbox"
)

const (
	// cpuPeriod is the period of CPU quotas in microseconds. Short, so that a
	// small function that used up its share waits a few milliseconds and not the
	// rest of the kernel's default of 100 ms.
	cpuPeriod = 20_000
	// minQuota is the smallest quota that the kernel accepts, in microseconds.
	minQuota = 1_000
)

// cpuLimit is a CPU quota: microseconds of CPU time in every period of
// microseconds.
type cpuLimit struct {
	quota  int64 // negative: no limit
	period int64
}

var (
	noCPULimit = cpuLimit{quota: -1, period: cpuPeriod}
	// portion is the limit of what is not [sandbox.Ordinary]. A program that
	// starts has a processor to itself for tens of milliseconds, if it may.
	// However little its weight, that processor looks busy, and those who wake up
	// meanwhile are left to queue on another. After a portion it has nothing to do
	// for a moment, and the kernel fetches them. (The kernel looks at quotas when
	// its clock ticks: a portion is up to 4 ms long, and what was too much is
	// subtracted from the next.)
	portion = cpuLimit{quota: minQuota, period: 4 * minQuota}
)

// cpuLimitOf is the limit of an environment.
func cpuLimitOf(l sandbox.Limits, r sandbox.Rank) cpuLimit {
	switch {
	case r != sandbox.Ordinary:
		return portion
	case l.CPUMilli == 0:
		return noCPULimit
	default:
		return cpuLimit{quota: max(int64(l.CPUMilli)*cpuPeriod/1000, minQuota), period: cpuPeriod}
	}
}

// setCPU sets the quota and the burst: what was left of one period may be used
// in the next, so that a function which just woke up runs ahead before it is
// slowed down. The kernel wants the burst below the quota at all times. With
// version 1 the period is a file of its own, written only where it may be new,
// which takes a change of rank.
func (c control) setCPU(l cpuLimit, newPeriod bool) error {
	if c.v2 {
		value := "max"
		if l.quota >= 0 {
			value = strconv.FormatInt(l.quota, 10)
		}
		return c.setQuota("cpu.max", value+" "+strconv.FormatInt(l.period, 10), "cpu.max.burst", l.quota)
	}
	if newPeriod {
		if err := c.write("cpu", "cpu.cfs_quota_us", "-1"); err != nil { // goes with any burst
			return err
		}
		if err := c.write("cpu", "cpu.cfs_period_us", strconv.FormatInt(l.period, 10)); err != nil {
			return err
		}
	}
	return c.setQuota("cpu.cfs_quota_us", strconv.FormatInt(l.quota, 10), "cpu.cfs_burst_us", l.quota)
}

func (c control) setQuota(file, value, burstFile string, burst int64) error {
	err := c.write("cpu", file, value)
	if errors.Is(err, unix.EINVAL) { // below the present burst
		if err = c.write("cpu", burstFile, "0"); err == nil {
			err = c.write("cpu", file, value)
		}
	}
	if err != nil || burst < 0 {
		return err
	}
	return c.writeKnown("cpu", burstFile, strconv.FormatInt(burst, 10)) // since Linux 5.14
}

// startLimited makes the environment's cgroup of the CPU hierarchy, with its
// limit, before libcontainer does, which sets one only in the middle of a
// container's start. With version 2 it can't be helped: libcontainer is the one
// who delegates controllers.
func (e *environment) startLimited() error {
	if cgroups.IsCgroup2UnifiedMode() {
		return nil
	}
	state, err := e.container.State()
	if err != nil {
		return err
	}
	c := newControl(state.CgroupPaths)
	if err := os.MkdirAll(c.dirs["cpu"], 0o755); err != nil {
		return err
	}
	return c.setCPU(cpuLimitOf(e.limits, e.rank), true)
}
