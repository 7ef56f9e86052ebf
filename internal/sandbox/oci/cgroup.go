package oci

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
	"golang.org/x/sys/unix"

	_ "github.com/opencontainers/cgroups/devices" // lets cgroup managers set device rules

	"github.com/hearthd/hearth/internal/sandbox"
)

// mbPerIOWeight is how much memory comes with one unit of disk weight: the
// largest function has the greatest weight that all kernels know, 1,000.
const mbPerIOWeight = 10

// pidsLimit is in libcontainer's words, where -1 stands for no limit.
func pidsLimit(n int) *int64 {
	limit := int64(n)
	if n == 0 {
		limit = -1
	}
	return &limit
}

// instanceResources bind all environments of an instance together: memory
// and pids are ceilings, CPU is a weight against other instances (each
// environment has a quota of its own).
func instanceResources(c sandbox.Capacity) *cgroups.Resources {
	r := &cgroups.Resources{
		Memory:      int64(c.MemoryMB) << 20,
		CpuShares:   uint64(max(2, c.CPUMilli*1024/1000)),
		PidsLimit:   pidsLimit(c.Pids),
		SkipDevices: true,
	}
	if cgroups.IsCgroup2UnifiedMode() {
		r.CpuWeight = cgroups.ConvertCPUSharesToCgroupV2Value(r.CpuShares)
		r.CpuShares = 0
	}
	return r
}

func environmentResources(l sandbox.Limits, rank sandbox.Rank) *cgroups.Resources {
	cpu := cpuLimitOf(l, rank)
	r := &cgroups.Resources{
		Memory:    int64(l.MemoryMB) << 20,
		CpuPeriod: uint64(cpu.period),
		CpuQuota:  cpu.quota,
		PidsLimit: pidsLimit(l.Pids),
		Devices:   deviceRules(),
	}
	if swapAccounted() {
		r.MemorySwap = r.Memory // memory and swap together: no swap
	}
	if cgroups.IsCgroup2UnifiedMode() {
		r.CpuWeight = cpuWeight(rank)
	} else {
		r.CpuShares = cpuShares(rank)
	}
	return r
}

func deviceRules() []*devices.Rule {
	rules := []*devices.Rule{{Type: devices.WildcardDevice, Major: devices.Wildcard, Minor: devices.Wildcard, Permissions: "rwm"}}
	for _, n := range deviceNodes {
		rules = append(rules, &devices.Rule{Type: devices.CharDevice, Major: int64(n.major), Minor: int64(n.minor), Permissions: "rw", Allow: true})
	}
	return rules
}

// swapAccounted tells whether the kernel keeps count of swap.
var swapAccounted = sync.OnceValue(func() bool {
	if cgroups.IsCgroup2UnifiedMode() {
		return true
	}
	_, err := os.Stat("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")
	return err == nil
})

// control is one environment's cgroup as files, for what happens often:
// limits, usage, freezing. Version 1 and 2 differ in names and forms only.
type control struct {
	v2   bool
	dirs map[string]string // controller -> directory; v2 has one, under ""
}

// newControl copies the paths: they are libcontainer's own map, and it deletes
// from it.
func newControl(paths map[string]string) control {
	return control{v2: cgroups.IsCgroup2UnifiedMode(), dirs: maps.Clone(paths)}
}

func (c control) file(controller, name string) string {
	if c.v2 {
		controller = ""
	}
	return filepath.Join(c.dirs[controller], name)
}

func (c control) write(controller, name, value string) error {
	f, err := os.OpenFile(c.file(controller, name), os.O_WRONLY, 0)
	if err != nil {
		return gone(err)
	}
	_, err = f.WriteString(value)
	return gone(errors.Join(err, f.Close()))
}

func (c control) readInt(controller, name string) (int64, error) {
	b, err := os.ReadFile(c.file(controller, name))
	if err != nil {
		return 0, gone(err)
	}
	return strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
}

// readField reads one field of a "key value" file. One that is not there, for
// want of a controller or because the cgroup is just going, is 0.
func (c control) readField(controller, name, key string) (int64, error) {
	b, err := os.ReadFile(c.file(controller, name))
	if err != nil {
		return 0, gone(err)
	}
	s := bufio.NewScanner(bytes.NewReader(b))
	for s.Scan() {
		if v, ok := strings.CutPrefix(s.Text(), key+" "); ok {
			return strconv.ParseInt(v, 10, 64)
		}
	}
	return 0, nil
}

// gone tells callers that a cgroup is no longer there.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("%w: %w", sandbox.ErrGone, err)
	}
	return err
}

func (c control) setLimits(l sandbox.Limits) error {
	return errors.Join(c.setMemory(int64(l.MemoryMB)<<20), c.setPids(l.Pids), c.setIOWeight(l.MemoryMB))
}

func (c control) setPids(n int) error {
	if n == 0 {
		return c.write("pids", "pids.max", "max")
	}
	return c.write("pids", "pids.max", strconv.Itoa(n))
}

func (c control) setMemory(limit int64) error {
	value := strconv.FormatInt(limit, 10)
	if c.v2 {
		// Version 1 refuses a limit below what can't be reclaimed, version 2
		// would kill a process instead.
		if used, err := c.readField("memory", "memory.stat", "anon"); err == nil && used > limit {
			return fmt.Errorf("memory limit of %d bytes: %w: %d bytes", limit, sandbox.ErrInUse, used)
		}
		return c.write("memory", "memory.max", value)
	}
	err := c.setMemory1(value)
	if errors.Is(err, unix.EBUSY) {
		err = fmt.Errorf("memory limit of %d bytes: %w: %w", limit, sandbox.ErrInUse, err)
	}
	return err
}

func (c control) setMemory1(value string) error {
	if !swapAccounted() {
		return c.write("memory", "memory.limit_in_bytes", value)
	}
	// The limit with swap may never be below the one without: which to write
	// first depends on the direction, so try one order and then the other.
	first, second := "memory.memsw.limit_in_bytes", "memory.limit_in_bytes"
	if err := c.write("memory", first, value); err != nil {
		first, second = second, first
		if err := c.write("memory", first, value); err != nil {
			return err
		}
	}
	return c.write("memory", second, value)
}

// setIOWeight gives an environment its share of a busy disk in proportion to
// its memory, where the kernel has weights: with version 2 and the io
// controller, with version 1 and the bfq scheduler. There are none for the
// network.
func (c control) setIOWeight(memoryMB int) error {
	weight := strconv.Itoa(min(max(memoryMB/mbPerIOWeight, 1), 1000))
	if c.v2 {
		return c.writeKnown("io", "io.weight", "default "+weight)
	}
	return c.writeKnown("blkio", "blkio.bfq.weight", weight)
}

// writeKnown writes a file that not every kernel has.
func (c control) writeKnown(controller, name, value string) error {
	err := c.write(controller, name, value)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (c control) freeze(frozen bool) error {
	if c.v2 {
		return c.write("freezer", "cgroup.freeze", map[bool]string{true: "1", false: "0"}[frozen])
	}
	return c.write("freezer", "freezer.state", map[bool]string{true: "FROZEN", false: "THAWED"}[frozen])
}

func (c control) oomKills() int64 {
	file := "memory.oom_control"
	if c.v2 {
		file = "memory.events"
	}
	n, err := c.readField("memory", file, "oom_kill")
	if err != nil {
		return 0
	}
	return n
}

// usage is all but the peak, see [peakGauge].
func (c control) usage() (sandbox.Usage, error) {
	var u sandbox.Usage
	var errs [4]error
	current := "memory.usage_in_bytes"
	if c.v2 {
		current = "memory.current"
	}
	u.MemoryBytes, errs[0] = c.readInt("memory", current)
	u.Pids, errs[1] = c.readInt("pids", "pids.current")
	if c.v2 {
		var cpu, throttled int64
		cpu, errs[2] = c.readField("cpu", "cpu.stat", "usage_usec")
		throttled, errs[3] = c.readField("cpu", "cpu.stat", "throttled_usec")
		u.CPU, u.Throttled = time.Duration(cpu)*time.Microsecond, time.Duration(throttled)*time.Microsecond
	} else {
		var cpu, throttled int64
		cpu, errs[2] = c.readInt("cpuacct", "cpuacct.usage")
		throttled, errs[3] = c.readField("cpu", "cpu.stat", "throttled_time")
		u.CPU, u.Throttled = time.Duration(cpu), time.Duration(throttled)
	}
	u.OOMKills = c.oomKills()
	return u, errors.Join(errs[:]...)
}
