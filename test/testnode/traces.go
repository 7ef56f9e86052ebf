package testnode

import (
	"bytes"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/nftables"
)

// Traces lists what a node that no longer runs has left on this machine, in
// words for a test's log: processes and cgroups, mounts, directories under
// /run, loop devices, network namespaces, network devices and packet rules.
func Traces(name, dir string) ([]string, error) {
	label := "hearth-" + name
	var found []string
	for _, look := range []func() ([]string, error){
		func() ([]string, error) { return processes(label) },
		func() ([]string, error) { return cgroups(label) },
		func() ([]string, error) { return mounts(label, dir) },
		func() ([]string, error) { return loopDevices(dir) },
		func() ([]string, error) {
			return glob("/run/"+label, "/run/netns/*"+name+"*")
		},
		func() ([]string, error) { return devices(name) },
		func() ([]string, error) { return packetRules(label) },
	} {
		some, err := look()
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}

// processes lists those in a cgroup of the node.
func processes(label string) ([]string, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, f := range files {
		groups, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(groups, []byte("/"+label)) {
			continue // not ours, or ended meanwhile
		}
		if stat, err := os.ReadFile(filepath.Join(filepath.Dir(f), "stat")); err != nil || ended(stat) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline"))
		found = append(found, "process "+filepath.Base(filepath.Dir(f))+" "+strconv.Quote(string(bytes.ReplaceAll(command, []byte{0}, []byte{' '}))))
	}
	return found, nil
}

// ended tells by a process's stat whether it has ended and only waits for its
// parent to ask how. A node that was killed leaves its children to init, whose
// business that is.
func ended(stat []byte) bool {
	state := stat[bytes.LastIndexByte(stat, ')')+1:] // the name before it is in parentheses
	return bytes.HasPrefix(state, []byte(" Z")) || bytes.HasPrefix(state, []byte(" X"))
}

// cgroups lists the node's, in a unified hierarchy and in separate ones.
func cgroups(label string) ([]string, error) {
	return glob("/sys/fs/cgroup/"+label, "/sys/fs/cgroup/*/"+label)
}

// mounts lists the node's in every mount namespace of this machine: a node has
// one of its own.
func mounts(label, dir string) ([]string, error) {
	namespaces, err := filepath.Glob("/proc/[0-9]*/ns/mnt")
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var found []string
	for _, link := range namespaces {
		namespace, err := os.Readlink(link)
		if err != nil || seen[namespace] {
			continue // ended meanwhile, or known
		}
		seen[namespace] = true
		table, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(link)), "mountinfo"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(table)) {
			point := strings.Fields(line)[4]
			if strings.HasPrefix(point, "/run/"+label) || strings.HasPrefix(point, dir+"/") {
				found = append(found, "mount "+point)
			}
		}
	}
	return found, nil
}

// loopDevices lists those backed by a file below dir, deleted or not.
func loopDevices(dir string) ([]string, error) {
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, f := range files {
		backing, err := os.ReadFile(f)
		if err == nil && strings.HasPrefix(string(backing), dir+"/") {
			found = append(found, "loop device of "+strings.TrimSpace(string(backing)))
		}
	}
	return found, nil
}

// devices lists the network devices in the node's device group, which is made
// of its name.
func devices(name string) ([]string, error) {
	hash := fnv.New32a()
	hash.Write([]byte(name))
	group := strconv.FormatUint(uint64(hash.Sum32()|1<<31), 10)
	files, err := filepath.Glob("/sys/class/net/*/netdev_group")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, f := range files {
		of, err := os.ReadFile(f)
		if err == nil && strings.TrimSpace(string(of)) == group {
			found = append(found, "network device "+filepath.Base(filepath.Dir(f)))
		}
	}
	return found, nil
}

// packetRules lists the node's tables of packet rules.
func packetRules(label string) ([]string, error) {
	connection, err := nftables.New()
	if err != nil {
		return nil, err
	}
	tables, err := connection.ListTables()
	if err != nil {
		return nil, nil //nolint:nilerr // no packet rules on this machine at all
	}
	var found []string
	for _, table := range tables {
		if table.Name == label {
			found = append(found, "packet rules "+table.Name)
		}
	}
	return found, nil
}

func glob(patterns ...string) ([]string, error) {
	var found []string
	for _, p := range patterns {
		some, err := filepath.Glob(p)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}
