package oci

import (
	"path/filepath"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runc/libcontainer/configs"
	"golang.org/x/sys/unix"

	"github.com/hearthd/hearth/internal/sandbox"
)

// maskedPaths and readonlyPaths hide what /proc tells of the host; the lists
// are Docker's.
var (
	maskedPaths = []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/proc/kmsg",
		"/proc/sysrq-trigger", "/proc/kallsyms", "/proc/config.gz",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"}
)

// containerConfig is the sandbox in libcontainer's words.
func containerConfig(e *environment, root string, s sandbox.BootSpec) *configs.Config {
	const bind = unix.MS_BIND | unix.MS_REC
	ids := []configs.IDMap{{ContainerID: 0, HostID: int64(firstID + e.instance.ids*idsPerInstance), Size: idsPerInstance}}
	oomScoreAdj := 900
	follow := []int{unix.MS_SLAVE | unix.MS_REC} // mounts made later on the host appear
	return &configs.Config{
		Version:         "1.2.0",
		Rootfs:          root,
		Readonlyfs:      true,
		RootPropagation: unix.MS_SLAVE | unix.MS_REC,
		NoNewPrivileges: true,
		NoNewKeyring:    true, // the filter denies keyctl; keys would count against a small quota of the user id
		Hostname:        "hearth",
		UIDMappings:     ids,
		GIDMappings:     ids,
		Capabilities:    &configs.Capabilities{},
		MaskPaths:       maskedPaths,
		ReadonlyPaths:   readonlyPaths,
		OomScoreAdj:     &oomScoreAdj, // when the machine itself runs out, not the node first
		Namespaces: configs.Namespaces{
			{Type: configs.NEWUSER}, {Type: configs.NEWPID}, {Type: configs.NEWNS}, {Type: configs.NEWIPC},
			{Type: configs.NEWUTS}, {Type: configs.NEWNET}, {Type: configs.NEWCGROUP},
		},
		Networks: []*configs.Network{{Type: "loopback"}},
		Cgroups: &cgroups.Cgroup{
			Path:      filepath.Join(e.instance.driver.cgroupRoot(), e.instance.id, e.id),
			Resources: environmentResources(s.Limits, s.Rank),
		},
		Rlimits: []configs.Rlimit{
			{Type: unix.RLIMIT_NOFILE, Hard: 1024, Soft: 1024}, // Lambda's
			{Type: unix.RLIMIT_CORE, Hard: 0, Soft: 0},
			{Type: unix.RLIMIT_MEMLOCK, Hard: 64 << 10, Soft: 64 << 10},
		},
		Mounts: []*configs.Mount{
			{Source: "proc", Destination: "/proc", Device: "proc", Flags: unix.MS_NOEXEC | unix.MS_NOSUID | unix.MS_NODEV},
			// Bound to itself, so that libcontainer leaves the prepared /dev alone.
			{Source: filepath.Join(root, "dev"), Destination: "/dev", Device: "bind", Flags: bind | unix.MS_RDONLY | unix.MS_NOSUID},
			{Source: "shm", Destination: "/dev/shm", Device: "tmpfs", Flags: unix.MS_NOEXEC | unix.MS_NOSUID | unix.MS_NODEV, Data: "mode=1777,size=64m"},
			{Source: filepath.Join(e.dir, "tmp"), Destination: "/tmp", Device: "bind", Flags: bind | unix.MS_NOSUID | unix.MS_NODEV, PropagationFlags: follow},
			{Source: filepath.Join(e.dir, "task"), Destination: "/var/task", Device: "bind", Flags: bind | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV, PropagationFlags: follow},
			{Source: filepath.Join(e.dir, "opt"), Destination: "/opt", Device: "bind", Flags: bind | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV, PropagationFlags: follow},
		},
	}
}
