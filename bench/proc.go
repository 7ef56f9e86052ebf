package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// memInfo returns a field of /proc/meminfo in bytes.
func memInfo(field string) int64 { return kilobytes("/proc/meminfo", field) }

// rss is the resident memory of a process in bytes.
func rss(pid int) int64 { return kilobytes(fmt.Sprintf("/proc/%d/status", pid), "VmRSS") }

// uss is the memory of a process that nobody shares, in bytes.
func uss(pid int) int64 {
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

// descendants returns the processes below pid.
func descendants(pid int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		after := b[bytes.LastIndexByte(b, ')')+1:] // behind the name, which may hold anything
		if f := bytes.Fields(after); len(f) > 1 {
			parent, _ := strconv.Atoi(string(f[1]))
			children[parent] = append(children[parent], child)
		}
	}
	all := slices.Clone(children[pid])
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// cpuModel names the processor.
func cpuModel() string {
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
