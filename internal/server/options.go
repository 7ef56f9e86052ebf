package server

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/hearthd/hearth/internal/lambdaapi"
	"github.com/hearthd/hearth/internal/pool"
	"github.com/hearthd/hearth/internal/sizing"
	"github.com/hearthd/hearth/internal/usage"
	"github.com/hearthd/hearth/internal/worker"
)

// Options configure a node. [Defaults] has the values for all of them.
type Options struct {
	// Dir is the data directory; one node at a time.
	Dir string
	// Listen is the address of the API, host:port.
	Listen string
	// MetricsListen is the address of /metrics without authentication; "" for
	// none (the API serves it to the root account in any case).
	MetricsListen string
	// PublicURL is how clients reach the API, for the URLs it hands out; ""
	// means the host that each request named.
	PublicURL string
	// Region stands in ARNs and in functions' AWS_REGION.
	Region string

	// MemoryMB is how much memory functions may have together; 0 means four
	// fifths of the machine's. Overcommit times that is what may be promised.
	MemoryMB   int
	Overcommit float64
	// Overlap is how many times that may be promised while a deployment
	// replaces environments.
	Overlap float64
	// InstanceMB is the capacity of an instance; 0 means as much as the largest
	// function may ask for, or the node has.
	InstanceMB int
	// MBPerCPU is how much memory of a function comes with one whole CPU; 0
	// means what the node has of both, so that a function's share of the
	// machine's CPUs is its share of the memory for functions.
	MBPerCPU int
	// MbitPerCPU is the bandwidth of the network, in Mbit/s each way, that comes
	// with one whole CPU; 0 means that it is not bounded.
	MbitPerCPU int
	// PoolFloor environments of each runtime in use are kept pre-booted, at
	// least; at most PoolCeiling.
	PoolFloor, PoolCeiling int
	// FreezeAfter, IdleFor and QueueFor: see worker.Options.
	FreezeAfter, IdleFor, QueueFor time.Duration
	// SizingWindow, SizingNotify and SizingPrivateWebhooks: see sizing.Options.
	SizingWindow          time.Duration
	SizingNotify          string
	SizingPrivateWebhooks bool
	// Egress gives functions a network.
	Egress bool
	// StrictRuntimes refuses a runtime identifier that is not exactly there.
	StrictRuntimes bool
	// RuntimePrefixes are further directories with interpreters in them.
	RuntimePrefixes []string

	// CacheBytes bounds the unpacked code on disk, LogBytes and LogAge the logs.
	CacheBytes, LogBytes int64
	LogAge               time.Duration
	// UsageAge is how long what executions cost is kept.
	UsageAge time.Duration
	// SyncAlways and NATSURL: see state.Options.
	SyncAlways bool
	NATSURL    string

	// S3 is where functions' packages named by bucket and key are read.
	S3 lambdaapi.S3

	Version Version
	Log     *slog.Logger
	// Started is called once the node takes invocations.
	Started func(Started)
}

// Version names the build.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

// Started is what a user needs to reach the node.
type Started struct {
	URL             string
	CredentialsFile string
	Region          string
	FirstStart      bool
	AccountID       string
	AccessKeyID     string
}

// maxFunctionMB is the most memory that Lambda lets a function have.
const maxFunctionMB = 10_240

// Defaults returns options with which a node runs out of the box.
func Defaults() Options {
	return Options{
		Dir:         DefaultDir(),
		Listen:      "127.0.0.1:9400",
		Region:      "us-east-1",
		Overcommit:  1,
		MBPerCPU:    worker.MBPerCPU,
		Overlap:     1.25,
		PoolFloor:   2,
		PoolCeiling: 32,
		FreezeAfter: time.Second,
		IdleFor:     10 * time.Minute,
		QueueFor:    10 * time.Second,

		SizingWindow: sizing.DefaultWindow,

		CacheBytes: 10 << 30,
		LogBytes:   1 << 30,
		LogAge:     14 * 24 * time.Hour,
		UsageAge:   usage.DefaultKeep,
	}
}

// DefaultDir is the data directory of the user who runs the process.
func DefaultDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/hearth"
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "hearth")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "hearth")
	}
	return filepath.Join(home, ".local", "share", "hearth")
}

// complete fills in what depends on the machine, and checks.
func (o *Options) complete() error {
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if o.MemoryMB == 0 {
		total, _, err := pool.MachineMemory()
		if err != nil {
			return fmt.Errorf("cannot tell the machine's memory, say how much functions may have (--memory): %w", err)
		}
		o.MemoryMB = total * 4 / 5
	}
	if o.MemoryMB < 128 {
		return fmt.Errorf("memory for functions is %d MB and must be 128 MB at least, the smallest function", o.MemoryMB)
	}
	if o.Overcommit < 1 {
		return fmt.Errorf("overcommit is %g and must be 1 at least", o.Overcommit)
	}
	if o.Overlap < 1 {
		return fmt.Errorf("overlap is %g and must be 1 at least", o.Overlap)
	}
	if o.InstanceMB == 0 {
		o.InstanceMB = min(maxFunctionMB, o.budgetMB())
	}
	if o.MBPerCPU < 0 {
		return fmt.Errorf("memory for each CPU is %d MB and must not be negative", o.MBPerCPU)
	}
	if o.MbitPerCPU < 0 {
		return fmt.Errorf("network bandwidth for each CPU is %d Mbit/s and must not be negative", o.MbitPerCPU)
	}
	if o.MBPerCPU == 0 {
		o.MBPerCPU = max(1, o.MemoryMB/runtime.NumCPU())
	}
	if o.PoolFloor < 0 || o.PoolCeiling < o.PoolFloor {
		return fmt.Errorf("the warming pool's floor is %d and its ceiling %d: 0 <= floor <= ceiling", o.PoolFloor, o.PoolCeiling)
	}
	if o.SizingNotify != "" && !sizing.ValidURL(o.SizingNotify) {
		return fmt.Errorf("%q is no URL to tell of sizing (--sizing-notify): it begins with http:// or https://", o.SizingNotify)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// budgetMB is the memory that may be promised to environments.
func (o *Options) budgetMB() int { return int(float64(o.MemoryMB) * o.Overcommit) }
