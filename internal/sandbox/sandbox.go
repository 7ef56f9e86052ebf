// Package sandbox is the seam between Hearth and the operating system: an
// [Instance] is an isolated box of capacity that belongs to at most one
// account at a time, an [Environment] is a sandboxed process tree inside it.
//
// The package declares what a driver must do and says nothing about how;
// package oci (libcontainer) is the driver in use. Its callers are the worker
// manager and the warming pool; it knows nothing of functions or accounts.
//
// The life of an environment is
//
//	Boot ──► (pre-booted: interpreter loaded, no code) ──► Attach ──► Start
//	     ──► serving, with Freeze/Thaw and SetLimits ──► Kill ──► Done closed
//
// A pre-booted environment never ran anybody's code, and is started at most
// once: it is never given to a second function.
package sandbox

import (
	"context"
	"errors"
	"net"
	"os"
	"time"
)

// ErrGone is returned (wrapped) by every operation on an environment whose
// processes have ended.
var ErrGone = errors.New("the environment has ended")

// ErrInUse is returned (wrapped) by SetLimits when the memory is in use.
var ErrInUse = errors.New("the memory is in use")

// Capacity is what an instance holds, and what its environments share.
type Capacity struct {
	MemoryMB int
	// CPUMilli is in thousandths of one CPU; the instance's weight against
	// other instances and the ceiling for all its environments together.
	CPUMilli int
	Pids     int
}

// Rank is how an environment stands against others when CPU is short.
type Rank int

// The ranks.
const (
	// Ordinary ones share the CPU evenly.
	Ordinary Rank = iota
	// Behind is for what nobody waits for yet: it is made, and runs, behind what
	// is ordinary, in small portions and with at most a quarter of a CPU, which is
	// quickly undone when somebody does.
	Behind
	// Last is for what nobody will wait for in the next seconds: its portions are
	// of what all others leave. It takes some milliseconds to undo.
	Last
)

// Limits bind one environment. They can be changed in place.
type Limits struct {
	MemoryMB int
	// CPUMilli is the quota in thousandths of one CPU; 0 means no quota (the
	// initialisation phase runs without one, as Lambda's does).
	CPUMilli int
	// Pids is the number of processes and threads; 0 means no limit besides
	// the instance's.
	Pids int
	// NetworkMbit bounds what is sent and what is received, each, in megabits a
	// second; 0 means no bound. Where there is no network it says nothing.
	NetworkMbit int
}

// Mount is one read-only directory of the host shown inside an environment.
type Mount struct {
	Source string // absolute, on the host
	Target string // absolute, in the environment
}

// BootSpec says what to boot. Nothing in it belongs to a function.
type BootSpec struct {
	// Argv is the process to start as soon as the environment exists, for
	// example an interpreter with its runtime client, which then waits on the
	// control descriptor (number in HEARTH_CONTROL_FD) for its start message.
	// An empty Argv boots an environment whose init itself waits for the start
	// message and executes the message's Argv (custom runtimes).
	Argv []string
	Env  []string
	// Mounts are shown besides the standard root (/usr, /lib, /etc, ...):
	// interpreters under a prefix, the runtime clients.
	Mounts []Mount
	Limits Limits
	// TmpMB is the size of /tmp.
	TmpMB int
	// Rank is the environment's until SetRank.
	Rank Rank
}

// AttachSpec gives a pre-booted environment its code.
type AttachSpec struct {
	// TaskDir is shown read-only at /var/task. OptDirs, first to last, are
	// merged and shown read-only at /opt (Lambda layers; later ones win).
	TaskDir string
	OptDirs []string
	Limits  Limits
	TmpMB   int
}

// StartSpec is the start message: the function's environment variables and,
// where a new program must be executed, its argument vector.
type StartSpec struct {
	// Argv is empty when the pre-booted interpreter goes on by itself. When it
	// is not, the waiting process replaces itself by it (execve), with Env as
	// the whole environment.
	Argv []string
	Env  []string
}

// Usage is what an environment used so far; the counters only grow, except
// PeakMemoryBytes, which [Environment.ResetPeak] starts anew where the kernel
// lets it.
type Usage struct {
	MemoryBytes     int64
	PeakMemoryBytes int64
	CPU             time.Duration
	Throttled       time.Duration
	OOMKills        int64
	Pids            int64
}

// Measures are what an environment used since they were taken before: during
// one execution, when they are taken after each.
type Measures struct {
	// Peak is the most memory in use at one moment, in bytes, without page
	// cache that the kernel would have taken back: what a limit must leave room
	// for. It is never too low: where the kernel knows no mark (Linux before
	// 5.19 with cgroup version 2) it is the limit, and where it knows no reset
	// (before 6.12) the mark of the environment's whole life.
	Peak int64
	CPU  time.Duration

	// Thorough is true when the rest was measured as well. It is then of the
	// time since the last thorough measures: nothing is lost between.
	Thorough bool
	// Throttled is how long the environment wanted a CPU that its quota denied.
	Throttled time.Duration
	// Read and Written are bytes of disk. With cgroup version 1, whose own
	// counters recent kernels have given up, they are those of the processes
	// that are there when they are measured.
	Read, Written int64
	// Received and Sent are bytes of network; the Runtime API is not counted.
	Received, Sent int64
	// Pids is the most processes and threads at one moment of the
	// environment's whole life: this mark can't be reset.
	Pids int
}

// Exit says how the first process of an environment (the runtime) ended.
type Exit struct {
	// Code is the exit code, or -1 when a signal ended it.
	Code int
	// Signal is the signal's number, 0 when it exited by itself.
	Signal int
	// OOM is true when the kernel killed a process of the environment because
	// its memory limit was reached.
	OOM bool
}

// Driver makes instances. Implementations are safe for concurrent use.
type Driver interface {
	// CreateInstance makes an empty instance. It is cheap: no process starts.
	CreateInstance(ctx context.Context, id string, c Capacity) (Instance, error)
	// Sweep removes everything a former run of this node left behind:
	// processes, cgroups, mounts, network devices and directories. It is
	// called once, before the first CreateInstance.
	Sweep(ctx context.Context) error
	// Close destroys what is left and releases the driver's own resources.
	Close() error
}

// Instance is an isolated box of capacity.
type Instance interface {
	ID() string
	Capacity() Capacity
	// Boot makes an environment and starts its Argv. It returns when the
	// sandbox is complete; the interpreter may still be loading.
	Boot(ctx context.Context, id string, s BootSpec) (Environment, error)
	// Destroy kills what still runs in it and removes every trace.
	Destroy() error
}

// Environment is one sandboxed process tree. All methods are safe for
// concurrent use; Attach and Start are each called at most once, in that order.
type Environment interface {
	ID() string
	// RuntimeAPI listens on 127.0.0.1:9001 inside the environment's network
	// namespace. The caller serves it and closes it.
	RuntimeAPI() net.Listener
	// Output is the read end of the pipe that the processes' standard output
	// and standard error are. It is non-blocking and usable with the runtime
	// poller; end of file when all writers are gone. The driver closes it
	// after Done, when Release is called.
	Output() *os.File
	Attach(ctx context.Context, s AttachSpec) error
	Start(s StartSpec) error
	// SetLimits changes the limits of a running or frozen environment. A memory
	// limit below what is in use is refused with an error that wraps ErrInUse,
	// and the old one stays; the other limits are set all the same.
	SetLimits(l Limits) error
	SetRank(r Rank) error
	// Guard has grow called when the environment comes near its memory limit,
	// before the kernel ends it. grow raises the limit by SetLimits and returns
	// true; or it returns false, and the limit is the end from then on, until
	// Guard is called again (grow stays the first one's). It is called from a
	// goroutine of the driver's, one call at a time, until Release. Processes
	// that reached the limit stand still meanwhile, so it should be quick.
	Guard(grow func() bool) error
	Usage() (Usage, error)
	// PeakMemory is the high-water mark in bytes since the last ResetPeak;
	// cheaper than Usage.
	PeakMemory() (int64, error)
	ResetPeak() error
	// Measure takes the measures that cost next to nothing, about two
	// microseconds, MeasureAll all of them, about twenty. Both begin a new mark
	// of memory.
	Measure() (Measures, error)
	MeasureAll() (Measures, error)
	Freeze() error
	Thaw() error
	// Kill ends every process of the environment, frozen or not, and returns
	// without waiting. Done is closed when they are gone.
	Kill()
	Done() <-chan struct{}
	// Exit is valid once Done is closed.
	Exit() Exit
	// Release waits for Done and removes cgroup, mounts, network and
	// directories.
	Release() error
}
