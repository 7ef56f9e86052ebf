// Package proc reads what Linux tells of memory and processes.
package proc

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MemInfo returns a field of /proc/meminfo in bytes.
func MemInfo(field string) int64 { return kilobytes("/proc/meminfo", field) }

// RSS is the resident memory of a process in bytes.
func RSS(pid int) int64 { return kilobytes(fmt.Sprintf("/proc/%d/status", pid), "VmRSS") }

// USS is the memory of a process that nobody shares, in bytes.
func USS(pid int) int64 {
	path := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	return kilobytes(path, "Private_Clean") + kilobytes(path, "Private_Dirty")
}

// kilobytes reads a "Field:  123 kB" line; 0 when there is none.
func kilobytes(path, field string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		name, value, _ := strings.Cut(s.Text(), ":")
		if name == field {
			n, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

// Descendants returns the processes below pid.
func Descendants(pid int) []int {
	children := map[int][]int{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		child, _ := strconv.Atoi(filepath.Base(dir))
		if f := stat(child); len(f) > 1 {
			parent, _ := strconv.Atoi(f[1])
			children[parent] = append(children[parent], child)
		}
	}
	all := slices.Clone(children[pid])
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// CPUModel names the processor.
func CPUModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// CPUTimes is the processor time that each process has used so far.
type CPUTimes map[int]time.Duration

// tick is the unit of times in /proc; the same on every Linux that Go runs on.
const tick = time.Second / 100

// CPUOf looks at processes; those that have ended meanwhile are left out.
func CPUOf(pids ...int) CPUTimes {
	times := CPUTimes{}
	for _, pid := range pids {
		f := stat(pid)
		if len(f) < 13 {
			continue // it ended meanwhile
		}
		user, _ := strconv.ParseInt(f[11], 10, 64)
		system, _ := strconv.ParseInt(f[12], 10, 64)
		times[pid] = time.Duration(user+system) * tick
	}
	return times
}

// Busy says for how long the machine's processors have worked and rested since
// it started, all of them together. See proc(5), /proc/stat.
func Busy() (working, resting time.Duration) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	for i, f := range strings.Fields(string(line)) {
		n, _ := strconv.ParseInt(f, 10, 64)
		switch i {
		case 0, 9, 10: // the name; guests', which are counted in the users'
		case 4, 5: // idle, and waiting for a disk
			resting += time.Duration(n) * tick
		default:
			working += time.Duration(n) * tick
		}
	}
	return working, resting
}

// BusySince is the share of the time since an earlier look in which the
// processors worked; 0 when no time has passed that the kernel would count.
func BusySince(working, resting time.Duration) float64 {
	w, r := Busy()
	worked, rested := w-working, max(0, r-resting) // waiting for a disk is counted to and fro
	if worked <= 0 {
		return 0
	}
	return float64(worked) / float64(worked+rested)
}

// stat returns the fields of /proc/PID/stat behind the name, which may hold
// anything; the first is the state, the second the parent. See proc(5), which
// counts from one and with what is before: two more and one.
func stat(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
}

// Since sums what was used after an earlier look, by processes that are still
// there.
func (c CPUTimes) Since(before CPUTimes) (sum time.Duration) {
	for pid, t := range c {
		sum += t - before[pid]
	}
	return sum
}
