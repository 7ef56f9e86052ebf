package testnode

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Footprint lists what the node has on this machine at the moment, besides
// its own process, by names that no later run can come to use by chance:
// processes with their start time, cgroups with their inode, and the mounts,
// directories and loop devices of its environments. What a killed node had
// must be gone when the next one has started.
func (n *Node) Footprint() ([]string, error) {
	label := "hearth-" + n.Name
	groups, err := cgroups(label)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, top := range groups {
		err := filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
			if err != nil || path == top {
				return ignoreGone(err)
			}
			switch {
			case entry.IsDir():
				info, err := entry.Info()
				if err != nil {
					return ignoreGone(err)
				}
				found = append(found, fmt.Sprintf("cgroup %s (%d)", path, info.Sys().(*syscall.Stat_t).Ino))
			case entry.Name() == "cgroup.procs":
				pids, err := os.ReadFile(path)
				if err != nil {
					return ignoreGone(err)
				}
				for _, pid := range strings.Fields(string(pids)) {
					found = append(found, "process "+pid+" started "+startTime(pid))
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	environments := "/run/" + label + "/env/"
	own := fmt.Sprintf("/proc/%d/root", n.command.Process.Pid) // as the node sees it
	directories, err := glob(own + environments + "*")
	if err != nil {
		return nil, err
	}
	mounted, err := mounts(label, n.Dir)
	if err != nil {
		return nil, err
	}
	mounted = slices.DeleteFunc(mounted, func(m string) bool { return !strings.Contains(m, environments) })
	loops, err := loopDevices(n.Dir)
	if err != nil {
		return nil, err
	}
	for _, d := range directories {
		found = append(found, "directory "+strings.TrimPrefix(d, own))
	}
	found = slices.Concat(found, mounted, loops)
	slices.Sort(found)
	return slices.Compact(found), nil
}

// startTime is when a process started, in the kernel's ticks; with the process
// id it tells a process from every other.
func startTime(pid string) string {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return "and ended"
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the command's name may hold anything
	const field = 22 - 3                          // numbered from 1; two are before the cut
	if fields := strings.Fields(rest); len(fields) > field {
		return fields[field]
	}
	return "unknown"
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return err
}
