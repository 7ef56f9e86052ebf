package oci

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/opencontainers/runc/libcontainer"
	"golang.org/x/sys/unix"

	"github.com/hearthd/hearth/internal/sandbox"
)

// environment is one container.
type environment struct {
	instance  *instance
	id        string
	dir       string // env/<id>
	tmpMB     int
	container *libcontainer.Container
	process   *libcontainer.Process
	listener  net.Listener
	output    *os.File // read end of stdout and stderr
	status    *os.File // read end of the status pipe
	control   control
	meter     *meter
	nic       *nic // nil without egress
	bandwidth int  // of nic, in Mbit/s; 0 for no bound

	mu     sync.Mutex
	start  *os.File // our end of the control stream, until Start
	killed bool
	limits sandbox.Limits
	guard  *guard // nil until Guard
	rank   sandbox.Rank

	done    chan struct{} // closed by reap
	exit    sandbox.Exit  // valid once done is closed
	release sync.Once
	relErr  error
}

var _ sandbox.Environment = (*environment)(nil)

// bootEnvironment makes a container and starts its first process. What it made
// is undone when it fails.
func bootEnvironment(ctx context.Context, i *instance, id string, s sandbox.BootSpec) (_ *environment, err error) {
	d := i.driver
	e := &environment{instance: i, id: id, dir: filepath.Join(d.runDir(), "env", id), tmpMB: s.TmpMB, limits: s.Limits, rank: s.Rank, done: make(chan struct{})}
	if err := os.Mkdir(e.dir, 0o755); err != nil {
		return nil, fmt.Errorf("boot environment %s: %w", id, err) // there may be one of this name
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("boot environment %s: %w", id, errors.Join(err, e.undo()))
		}
	}()
	for _, sub := range []string{"task", "opt", "tmp"} {
		if err := os.Mkdir(filepath.Join(e.dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	if err := d.volume.mount(filepath.Join(e.dir, "tmp"), id, s.TmpMB); err != nil {
		return nil, err
	}
	root, err := d.roots.path(s.Mounts)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.container, err = libcontainer.Create(filepath.Join(d.runDir(), "state"), id, containerConfig(e, root, s))
	if err != nil {
		return nil, err
	}
	if s.Rank != sandbox.Ordinary {
		if err := e.startLimited(); err != nil {
			return nil, err
		}
	}
	if err := e.run(s); err != nil {
		return nil, err
	}
	go e.reap()
	// The program starts last: however short it runs, all is there by then.
	err = e.connect(s.Limits.MemoryMB)
	if err == nil && s.Rank == sandbox.Last {
		err = e.control.stepBack()
	}
	if err == nil {
		err = e.container.Exec()
	}
	if err != nil {
		e.Kill()
		<-e.done
		return nil, err
	}
	return e, nil
}

// run makes the container, up to the point where its program would start, and
// finds its cgroup.
func (e *environment) run(s sandbox.BootSpec) error {
	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer theirs.Close()
	e.start = ours
	statusRead, statusWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	defer statusWrite.Close()
	e.status = statusRead
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	defer outWrite.Close()
	e.output = outRead
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()

	env := append([]string{"HEARTH_CONTROL_FD=3"}, s.Env...)
	e.process = &libcontainer.Process{
		Args:       append([]string{"/proc/self/exe", "hearth-init"}, s.Argv...),
		Env:        env,
		UID:        sandboxUID,
		GID:        sandboxGID,
		Cwd:        "/",
		Stdin:      null,
		Stdout:     outWrite,
		Stderr:     outWrite,
		ExtraFiles: []*os.File{theirs, statusWrite, e.instance.driver.filter},
		Init:       true,
	}
	err = e.container.Start(e.process)
	var state *libcontainer.State
	if err == nil {
		state, err = e.container.State()
	}
	if err != nil {
		// Either may be too early or too late, which is no matter.
		_ = e.process.Signal(unix.SIGKILL)
		_, _ = e.process.Wait()
		return err
	}
	e.control = newControl(state.CgroupPaths)
	return nil
}

// connect makes what needs the running container: the Runtime API's listener,
// the network device.
func (e *environment) connect(limitMB int) (err error) {
	pid, err := e.process.Pid()
	if err != nil {
		return err
	}
	devices := ""
	if e.instance.driver.net != nil {
		devices = "/proc/" + strconv.Itoa(pid) + "/net/dev"
	}
	if e.meter, err = e.control.openMeter(devices, limitMB); err != nil {
		return fmt.Errorf("accounting: %w", err)
	}
	namespace, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/net")
	if err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	defer namespace.Close()
	if n := e.instance.driver.net; n != nil {
		if e.nic, err = n.attach(namespace); err != nil {
			return fmt.Errorf("network: %w", err)
		}
	}
	return inNetworkNamespace(namespace, func() error {
		if e.listener, err = listenRuntimeAPI(); err != nil || e.nic == nil {
			return err
		}
		if err := e.nic.configure(); err != nil {
			return fmt.Errorf("network: %w", err)
		}
		return nil
	})
}

// reap waits for the container to end and notes how. It is the only one who
// closes done.
func (e *environment) reap() {
	var raw [4]byte
	// Waiting for the pipe costs no thread, waiting for the process does. The
	// pipe ends when the process does.
	n, _ := io.ReadFull(e.status, raw[:])
	_, _ = e.process.Wait() // the status that matters is the runtime's
	if n == len(raw) {
		status := syscall.WaitStatus(binary.NativeEndian.Uint32(raw[:]))
		if status.Signaled() {
			e.exit = sandbox.Exit{Code: -1, Signal: int(status.Signal())}
		} else {
			e.exit = sandbox.Exit{Code: status.ExitStatus()}
		}
	} else {
		e.exit = sandbox.Exit{Code: -1, Signal: int(syscall.SIGKILL)}
	}
	e.exit.OOM = e.control.oomKills() > 0
	close(e.done)
}

func (e *environment) ID() string               { return e.id }
func (e *environment) RuntimeAPI() net.Listener { return e.listener }
func (e *environment) Output() *os.File         { return e.output }
func (e *environment) Done() <-chan struct{}    { return e.done }
func (e *environment) Exit() sandbox.Exit       { return e.exit }

// Attach shows the code in the container, sets the limits in place and makes
// another /tmp when the function wants one of a different size.
func (e *environment) Attach(_ context.Context, s sandbox.AttachSpec) error {
	if err := bindReadOnly(s.TaskDir, filepath.Join(e.dir, "task")); err != nil {
		return fmt.Errorf("attach code: %w", err)
	}
	if err := e.attachLayers(s.OptDirs); err != nil {
		return fmt.Errorf("attach layers: %w", err)
	}
	if s.TmpMB != 0 && s.TmpMB != e.tmpMB {
		// The new file system covers the old one, in the container as well.
		if err := e.instance.driver.volume.mount(filepath.Join(e.dir, "tmp"), e.id, s.TmpMB); err != nil {
			return err
		}
	}
	return e.SetLimits(s.Limits)
}

// attachLayers merges the layers at /opt; of two files with the same name the
// later layer's is seen, as in Lambda.
func (e *environment) attachLayers(dirs []string) error {
	target := filepath.Join(e.dir, "opt")
	switch len(dirs) {
	case 0:
		return nil
	case 1:
		return bindReadOnly(dirs[0], target)
	}
	lower := ""
	for i := len(dirs) - 1; i >= 0; i-- { // overlayfs: the first is on top
		if lower != "" {
			lower += ":"
		}
		lower += dirs[i]
	}
	return unix.Mount("layers", target, "overlay", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "lowerdir="+lower)
}

// Start sends the start message; see the C file for its form.
func (e *environment) Start(s sandbox.StartSpec) error {
	e.mu.Lock()
	f := e.start
	e.start = nil
	e.mu.Unlock()
	if f == nil {
		return errors.New("an environment is started once")
	}
	_, err := f.Write(startMessage(s))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%w: start message: %w", sandbox.ErrGone, err)
	}
	return nil
}

// startMessage is a 4-byte little-endian length and NUL-terminated strings:
// the number of arguments, the arguments, the environment.
func startMessage(s sandbox.StartSpec) []byte {
	b := make([]byte, 4, 4096)
	put := func(v string) { b = append(append(b, v...), 0) }
	put(strconv.Itoa(len(s.Argv)))
	for _, v := range s.Argv {
		put(v)
	}
	for _, v := range s.Env {
		put(v)
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func (e *environment) Thaw() error { return e.control.freeze(false) }

func (e *environment) PeakMemory() (int64, error)            { return e.meter.high() }
func (e *environment) ResetPeak() error                      { return e.meter.startAnew() }
func (e *environment) Measure() (sandbox.Measures, error)    { return e.meter.measure() }
func (e *environment) MeasureAll() (sandbox.Measures, error) { return e.meter.measureAll() }

// SetLimits does nothing to an environment that was killed, which must not get
// its quota back.
func (e *environment) SetLimits(l sandbox.Limits) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.killed {
		return sandbox.ErrGone
	}
	if err := errors.Join(e.control.setLimits(l), e.control.setCPU(cpuLimitOf(l, e.rank), false), e.setBandwidth(l.NetworkMbit)); err != nil {
		return err
	}
	e.limits = l
	bytes := int64(l.MemoryMB) << 20
	e.meter.limited(bytes)
	if e.guard == nil {
		return nil
	}
	return e.guard.limited(bytes)
}

// Guard arms the guard, making it the first time.
func (e *environment) Guard(grow func() bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.killed {
		return sandbox.ErrGone
	}
	if e.guard == nil {
		e.guard = &guard{control: e.control, watch: e.instance.driver.watch, grow: grow}
	}
	return e.guard.arm(int64(e.limits.MemoryMB) << 20)
}

// Usage asks the kernel; see [sandbox.Usage].
func (e *environment) Usage() (sandbox.Usage, error) {
	u, err := e.control.usage()
	if err != nil {
		return u, err
	}
	u.PeakMemoryBytes, err = e.meter.high()
	return u, err
}

// Freeze stops the processes. It does nothing to an environment that was
// killed, whose processes could not end while frozen.
func (e *environment) Freeze() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.killed {
		return sandbox.ErrGone
	}
	return e.control.freeze(true)
}

// Kill kills the container's first process, and with it, by the kernel's hand,
// every other. With cgroup v1 a frozen process dies once it is thawed. To die
// takes a turn on a CPU: of a small quota that hundreds of processes fight for
// the first process might never get one, so the quota goes, and the process
// comes back from where what is last waits.
func (e *environment) Kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.killed {
		return
	}
	e.killed = true
	_ = e.process.Signal(unix.SIGKILL) // an error means that it has ended
	_ = e.control.setCPU(noCPULimit, false)
	if pid, err := e.process.Pid(); err == nil && e.rank == sandbox.Last {
		_ = e.control.write("cpu", "cgroup.procs", strconv.Itoa(pid))
	}
	_ = e.control.freeze(false)
}

// Release waits for the end and undoes everything Boot and Attach made.
func (e *environment) Release() error {
	e.release.Do(func() {
		<-e.done
		e.instance.forget(e)
		e.relErr = e.undo()
	})
	return e.relErr
}

// undo takes apart what there is of an environment whose processes are gone.
func (e *environment) undo() error {
	var errs []error
	if e.listener != nil {
		if err := e.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	e.mu.Lock()
	start, guard := e.start, e.guard
	e.start = nil
	e.mu.Unlock()
	if guard != nil {
		guard.close()
	}
	for _, f := range []*os.File{start, e.output, e.status} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	if e.meter != nil {
		errs = append(errs, e.meter.close())
	}
	if e.nic != nil {
		e.nic.release()
	}
	if e.container != nil {
		errs = append(errs, e.container.Destroy())
	}
	for _, sub := range []string{"task", "opt", "tmp", "tmp"} { // /tmp may be mounted twice
		err := unix.Unmount(filepath.Join(e.dir, sub), unix.MNT_DETACH)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", sub, err))
		}
	}
	errs = append(errs, os.RemoveAll(e.dir))
	return errors.Join(errs...)
}

func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("control stream: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "control"), nil
}
