package pool

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// MachineMemory returns the machine's memory and how much of it programs could
// still get, in MiB.
func MachineMemory() (total, available int, err error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		name, value, _ := strings.Cut(s.Text(), ":")
		kb, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB")) // 0 where it isn't a number
		switch name {
		case "MemTotal":
			total = kb / 1024
		case "MemAvailable":
			return total, kb / 1024, nil
		}
	}
	return 0, 0, fmt.Errorf("/proc/meminfo says nothing of MemAvailable")
}
