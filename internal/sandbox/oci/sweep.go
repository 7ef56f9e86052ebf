package oci

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sweepOrphans removes what a killed node of this name left: it kills the
// processes in its cgroups, removes the cgroups, unmounts what is mounted
// at its run directory and removes the files. Network namespaces go with their
// last process, loop devices with their last mount, and network devices with
// their namespace.
func (d *Driver) sweepOrphans(ctx context.Context) error {
	for _, path := range []string{d.cgroupRoot(), d.cgroupRoot() + lastSuffix} {
		if err := killCgroups(ctx, path); err != nil {
			return fmt.Errorf("sweep processes: %w", err)
		}
		if err := removeCgroups(path); err != nil {
			return fmt.Errorf("sweep cgroups: %w", err)
		}
	}
	if err := sweepEgress(d.opts.Node); err != nil {
		return fmt.Errorf("sweep network: %w", err)
	}
	if err := unmountTree(d.runDir()); err != nil {
		return fmt.Errorf("sweep mounts: %w", err)
	}
	for _, dir := range []string{d.runDir(), d.opts.Dir} {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("sweep files: %w", err)
		}
	}
	if err := os.MkdirAll(d.opts.Dir, 0o700); err != nil {
		return fmt.Errorf("sandbox directory: %w", err)
	}
	return nil
}

// cgroupDirs are this cgroup's directories in every mounted hierarchy,
// deepest first.
func cgroupDirs(path string) ([]string, error) {
	mounts, err := mountPoints(func(kind, _ string) bool { return kind == "cgroup" || kind == "cgroup2" })
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, m := range mounts {
		err := filepath.WalkDir(filepath.Join(m, path), func(p string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && entry.IsDir() {
				dirs = append(dirs, p)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(dirs, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	return dirs, nil
}

// killCgroups kills every process in the cgroup, frozen ones too, and waits
// until they are gone.
func killCgroups(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		dirs, err := cgroupDirs(path)
		if err != nil {
			return err
		}
		left := 0
		for _, dir := range dirs {
			// All at once, forking or not, where there is a hierarchy of
			// version 2 (Linux 5.14).
			_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
			b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			if err != nil {
				continue // gone meanwhile, or a controller file system without processes
			}
			for pid := range strings.FieldsSeq(string(b)) {
				if n, err := strconv.Atoi(pid); err == nil && n > 0 {
					left++
					_ = unix.Kill(n, unix.SIGKILL)
				}
			}
			// The frozen and the throttled can't die.
			for file, value := range map[string]string{"freezer.state": "THAWED", "cgroup.freeze": "0", "cpu.cfs_quota_us": "-1", "cpu.max": "max"} {
				_ = os.WriteFile(filepath.Join(dir, file), []byte(value), 0) // each kind of hierarchy has some of them
			}
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d processes in cgroup %s do not end", left, path)
		case <-time.After(5 * time.Millisecond): // the kernel tells nobody when a cgroup of v1 gets empty
		}
	}
}

// removeCgroups removes the cgroup and all below it. Processes that have just
// ended may hold it for a moment.
func removeCgroups(path string) error {
	deadline := time.Now().Add(5 * time.Second)
	for {
		dirs, err := cgroupDirs(path)
		if err != nil || len(dirs) == 0 {
			return err
		}
		var last error
		for _, dir := range dirs {
			if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
				last = fmt.Errorf("remove %s: %w", dir, err)
			}
		}
		if last == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return last
		}
		time.Sleep(5 * time.Millisecond) // as above: nothing to wait on
	}
}

// unmountTree detaches whatever is mounted at dir, with all that is mounted
// below it.
func unmountTree(dir string) error {
	for {
		err := unix.Unmount(dir, unix.MNT_DETACH)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			return nil // nothing mounted there (any more)
		}
		if err != nil {
			return fmt.Errorf("unmount %s: %w", dir, err)
		}
	}
}

// mountPoints lists the mount points for which want(kind, point) holds, in
// the order they were mounted.
func mountPoints(want func(kind, point string) bool) ([]string, error) {
	f, err := os.Open("/proc/thread-self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var points []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		fields := strings.Fields(s.Text())
		sep := slices.Index(fields, "-")
		if sep < 0 || len(fields) < sep+2 {
			continue
		}
		point := unescape.Replace(fields[4])
		if want(fields[sep+1], point) {
			points = append(points, point)
		}
	}
	return points, s.Err()
}

// unescape undoes the octal escapes of mountinfo.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
