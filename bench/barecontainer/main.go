// Command barecontainer is what a cold start without a warming pool is
// measured against: libcontainer's create and start of a container and nothing
// else, in a process that re-executes itself as the container's init, as
// Hearth's sandbox driver does.
//
// For each line on standard input it makes a container that runs /bin/true,
// prints how many nanoseconds create and start took, and takes it apart.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/opencontainers/cgroups"
	_ "github.com/opencontainers/cgroups/devices" // lets cgroup managers set device rules
	devices "github.com/opencontainers/cgroups/devices/config"
	"github.com/opencontainers/runc/libcontainer"
	"github.com/opencontainers/runc/libcontainer/configs"
	_ "github.com/opencontainers/runc/libcontainer/nsenter" // the C half of libcontainer's init
	"github.com/opencontainers/runc/libcontainer/specconv"
	"golang.org/x/sys/unix"
)

func init() {
	if len(os.Args) == 2 && os.Args[1] == "init" {
		libcontainer.Init()
	}
}

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal("barecontainer: ", err)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "barecontainer")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // temporary
	root := filepath.Join(dir, "root")
	if err := makeRoot(root); err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	for i := 0; in.Scan(); i++ {
		took, err := once(filepath.Join(dir, "state"), root, "bare"+strconv.Itoa(os.Getpid())+"-"+strconv.Itoa(i))
		if err != nil {
			return err
		}
		fmt.Println(took.Nanoseconds())
	}
	return in.Err()
}

// makeRoot lays out what the bind mounts of config go onto.
func makeRoot(root string) error {
	for _, d := range []string{"usr", "proc", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"bin", "lib", "lib64"} { // as on a merged /usr
		if err := os.Symlink("usr/"+name, filepath.Join(root, name)); err != nil {
			return err
		}
	}
	return nil
}

func once(state, root, id string) (time.Duration, error) {
	begin := time.Now()
	c, err := libcontainer.Create(state, id, config(root, id))
	if err != nil {
		return 0, fmt.Errorf("create: %w", err)
	}
	defer c.Destroy() //nolint:errcheck // its process has ended
	p := &libcontainer.Process{Args: []string{"/bin/true"}, Env: []string{"PATH=/usr/bin"}, Cwd: "/", Init: true}
	if err := c.Run(p); err != nil {
		return 0, fmt.Errorf("start: %w", err)
	}
	took := time.Since(begin)
	_, err = p.Wait()
	return took, err
}

// config is the smallest that isolates: the namespaces and the limits that any
// container has.
func config(root, id string) *configs.Config {
	var rules []*devices.Rule
	for _, d := range specconv.AllowedDevices {
		rules = append(rules, &d.Rule)
	}
	return &configs.Config{
		Version:         "1.2.0",
		Rootfs:          root,
		Readonlyfs:      true,
		NoNewPrivileges: true,
		Hostname:        "bare",
		Capabilities:    &configs.Capabilities{},
		Namespaces: configs.Namespaces{
			{Type: configs.NEWPID}, {Type: configs.NEWNS}, {Type: configs.NEWIPC}, {Type: configs.NEWUTS}, {Type: configs.NEWNET},
		},
		Devices: specconv.AllowedDevices,
		Cgroups: &cgroups.Cgroup{
			Path: "/" + id,
			Resources: &cgroups.Resources{
				Memory:  128 << 20,
				Devices: rules,
			},
		},
		Mounts: []*configs.Mount{
			{Source: "proc", Destination: "/proc", Device: "proc", Flags: unix.MS_NOEXEC | unix.MS_NOSUID | unix.MS_NODEV},
			{Source: "tmpfs", Destination: "/dev", Device: "tmpfs", Flags: unix.MS_NOSUID, Data: "mode=755,size=64k"},
			{Source: "/usr", Destination: "/usr", Device: "bind", Flags: unix.MS_BIND | unix.MS_REC | unix.MS_RDONLY},
		},
	}
}
