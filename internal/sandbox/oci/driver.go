// Package oci is the sandbox driver on Linux containers, by libcontainer in
// this very process: the binary re-executes itself as each container's init.
//
// An instance is a cgroup with a capacity and a range of user ids of its own;
// an environment is a container in it: own user, pid, mount, ipc, uts, network
// and cgroup namespaces, a read-only root, no capabilities, no_new_privs, a
// system call filter, masked /proc paths, a size-limited /tmp on disk.
// Both cgroup v1 (also in a hybrid mount) and v2 work.
//
// What an environment needs from the host is prepared in /run/hearth-<node>, a
// file system in memory:
//
//	roots/<key>/     one assembled root file system per set of mounts, shared
//	env/<id>/task    where the code is mounted after the start; the container
//	                 sees it at /var/task because its mount is a slave of ours
//	env/<id>/opt     the same for layers, at /opt
//	env/<id>/tmp     a small file system from an image in Options.Dir, at /tmp
//	state/           libcontainer's own state
//
// Everything carries the node's name, so that [Driver.Sweep] finds what a
// killed node left behind.
package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/hearthd/hearth/internal/sandbox"
)

const (
	// idsPerInstance user ids belong to each instance, from firstID on: far
	// above what distributions and container engines hand out.
	idsPerInstance = 65536
	firstID        = 0x40000000
	maxInstances   = 8192

	// sandboxUID and sandboxGID are who a function is inside its environment,
	// the numbers Lambda uses.
	sandboxUID = 993
	sandboxGID = 990
)

// Options configure a [Driver].
type Options struct {
	// Dir is the driver's own directory; nobody else writes there. It should
	// be on a disk, not in memory: /tmp of the environments lives there.
	Dir string
	// Node names the cgroups, /hearth-<Node>, and /run/hearth-<Node>. Letters
	// and digits only.
	Node string
	// Egress gives environments a way out to the network, through NAT, and to
	// nothing on this host. Without it they have a loopback device only.
	Egress bool
	// EgressNetwork is the private IPv4 network that environments get their
	// addresses from, one each. By default the driver takes one that this host
	// does not use.
	EgressNetwork netip.Prefix
	Log           *slog.Logger
}

// Driver makes instances of Linux containers.
type Driver struct {
	opts   Options
	filter *os.File // the system call filter, in memory
	roots  roots
	volume volumes
	net    *egress // nil without Options.Egress
	watch  *fileWatch

	mu        sync.Mutex
	instances map[string]*instance
	freeIDs   []int // indices of user id ranges given back
	nextID    int
}

var _ sandbox.Driver = (*Driver)(nil)

// New prepares the directories and checks that this machine can hold
// environments at all. Errors say what is missing.
func New(opts Options) (*Driver, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("environments need root (namespaces, cgroups, mounts): run hearth serve as root, for example with sudo")
	}
	logrus.SetOutput(io.Discard) // libcontainer's; its errors are returned to us as well
	// Every container begins with this program once more, whose Go runtime
	// libcontainer first tells what this variable says here, and then to use one
	// processor. To have one from the beginning saves it a twentieth of its time.
	if err := os.Setenv("GOMAXPROCS", "1"); err != nil {
		return nil, err
	}
	d := &Driver{opts: opts, instances: map[string]*instance{}}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("sandbox directory: %w", err)
	}
	var err error
	if d.filter, err = newFilterFile(); err != nil {
		return nil, err
	}
	if d.watch, err = openFileWatch(); err != nil {
		return nil, errors.Join(fmt.Errorf("events of cgroups: %w", err), d.filter.Close())
	}
	return d, nil
}

// Sweep removes what a former run left behind and then prepares the mounts.
func (d *Driver) Sweep(ctx context.Context) error {
	if err := d.sweepOrphans(ctx); err != nil {
		return err
	}
	if err := prepareRunDir(d.runDir()); err != nil {
		return err
	}
	d.roots = roots{dir: filepath.Join(d.runDir(), "roots")}
	d.volume = volumes{dir: d.opts.Dir, probeAt: filepath.Join(d.runDir(), "env")}
	if err := d.volume.probe(); err != nil {
		d.opts.Log.Warn("no loop devices here: /tmp of functions is held in memory and counts against their memory size", "error", err)
		d.volume.inMemory = true
	}
	if d.opts.Egress {
		return d.openEgress()
	}
	return nil
}

func (d *Driver) openEgress() (err error) {
	if d.net, err = openEgress(d.opts.Node, d.opts.EgressNetwork, d.opts.Log); err != nil {
		return fmt.Errorf("network egress: %w", err)
	}
	if d.roots.resolv, err = resolvConf(); err != nil {
		return fmt.Errorf("network egress: %w", err)
	}
	if d.roots.resolv == "" {
		d.opts.Log.Warn("functions cannot look up names: no name server of this host is on another machine with an IPv4 address", "read", hostResolvConfs)
	}
	return nil
}

// Close destroys every instance that is left and undoes the mounts.
func (d *Driver) Close() error {
	d.mu.Lock()
	left := slices.Collect(maps.Values(d.instances))
	d.mu.Unlock()
	var errs []error
	for _, i := range left {
		errs = append(errs, i.Destroy())
	}
	if d.net != nil {
		errs = append(errs, d.net.close())
	}
	errs = append(errs, unmountTree(d.runDir()), os.RemoveAll(d.runDir()), removeCgroups(d.cgroupRoot()), removeCgroups(d.cgroupRoot()+lastSuffix), d.filter.Close(), d.watch.close(), os.RemoveAll(d.opts.Dir))
	return errors.Join(errs...)
}

func (d *Driver) cgroupRoot() string { return "/hearth-" + d.opts.Node }
func (d *Driver) runDir() string     { return "/run/hearth-" + d.opts.Node }

// CreateInstance makes the instance's cgroup. No process starts.
func (d *Driver) CreateInstance(_ context.Context, id string, c sandbox.Capacity) (sandbox.Instance, error) {
	i := &instance{driver: d, id: id, capacity: c, environments: map[*environment]struct{}{}}
	if err := d.remember(i); err != nil {
		return nil, fmt.Errorf("instance %s: %w", id, err)
	}
	if err := i.makeCgroup(); err != nil {
		d.forget(i)
		return nil, fmt.Errorf("cgroup of instance %s: %w", id, err)
	}
	return i, nil
}

// remember takes the instance into the driver's books and gives it a range of
// user ids.
func (d *Driver) remember(i *instance) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.instances[i.id]; ok {
		return errors.New("there is one of this name")
	}
	if n := len(d.freeIDs); n > 0 {
		i.ids = d.freeIDs[n-1]
		d.freeIDs = d.freeIDs[:n-1]
	} else if d.nextID < maxInstances {
		i.ids = d.nextID
		d.nextID++
	} else {
		return fmt.Errorf("there are %d already", maxInstances)
	}
	d.instances[i.id] = i
	return nil
}

func (d *Driver) forget(i *instance) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.instances, i.id)
	d.freeIDs = append(d.freeIDs, i.ids)
}

// prepareRunDir mounts a file system in memory whose later mounts reach the
// containers that were cloned from it, and nobody else. Containers must be
// able to pass through it: their root is an ordinary user of this host.
func prepareRunDir(dir string) error {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return fmt.Errorf("sandbox directory: %w", err)
	}
	if err := unix.Mount("hearth", dir, "tmpfs", unix.MS_NOSUID, "mode=711"); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	if err := unix.Mount("", dir, "", unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make %s private: %w", dir, err)
	}
	if err := unix.Mount("", dir, "", unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("make %s shared: %w", dir, err)
	}
	for _, sub := range []string{"roots", "env", "state"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o711); err != nil {
			return fmt.Errorf("sandbox directory: %w", err)
		}
	}
	return nil
}
