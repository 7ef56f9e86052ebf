// Package worker is the worker manager: it finds or makes the environment for
// an invocation and owns the active pool.
//
// The active pool is the instances that belong to accounts, with environments
// booted from their functions' revisions. [Manager.Acquire] returns an idle
// environment of exactly the revision asked for, or waits for whichever comes
// first: one that another invocation gives back, or one that is booted for
// this request. Where nothing is idle, it takes, the quickest first:
//
//  1. an environment that is on its way and that nobody waits for,
//  2. a pre-booted environment on one of the account's instances,
//  3. a pre-booted environment with its instance from the warming pool, which
//     becomes the account's,
//  4. a new environment on one of the account's instances, or on a new one.
//
// Beside what is at work as much stands by, pre-booted (see standby.go), for the
// next deployment or cold start.
//
// Before anything is booted, a request waits for its turn where invocations are
// so quick that it comes soon; and on a saturated machine no more of them run at
// a time than keep its processors busy (see pace.go).
//
// Some environments are kept whatever happens: provisioned concurrency, see
// [Manager.Keep]. Of the others, when memory is short, idle environments are
// ended, the least valuable first; when nothing is idle, requests wait, for a
// bounded time.
//
// Callers are the invoke room, for each invocation, and the deploy room, which
// has environments of a revision prepared before requests go to it and tells
// which revisions they left. The warm path takes one lock, the revision's own.
package worker

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/code"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/pool"
	"github.com/hearthd/hearth/internal/runtimes"
	"github.com/hearthd/hearth/internal/telemetry"
)

// MBPerCPU is how much memory a function asks for to get one whole CPU:
// Lambda's documented proportion.
const MBPerCPU = 1769

// Options configure a [Manager]. All of them have to be set, but where it is said.
type Options struct {
	// FreezeAfter is how long an environment stays idle before it is frozen.
	FreezeAfter time.Duration
	// IdleFor is how long an environment stays idle before it is ended.
	IdleFor time.Duration
	// QueueFor is how long a request waits for room on a full node.
	QueueFor time.Duration
	// InitFor is the longest initialisation outside an invocation; after it
	// the initialisation is tried once more within the function's time-out.
	InitFor time.Duration
	// Overlap is how many times the memory of an instance and of the node may
	// be promised while environments of one revision replace those of another.
	Overlap float64
	Region  string
	// MBPerCPU is how much memory comes with one whole CPU; 0 means Lambda's
	// proportion.
	MBPerCPU int
	// MbitPerCPU is the bandwidth of the network that comes with one whole CPU,
	// in Mbit/s each way; 0 means that it is not bounded.
	MbitPerCPU int
	// AmountOf says what the environments of a revision are given; nil means
	// what their owner asked for. It is called often and must be quick.
	AmountOf func(*function.Revision) Amount
	Log      *slog.Logger
}

// Rooms are what the manager works with.
type Rooms struct {
	Pool     *pool.Pool
	Budget   *pool.Budget
	Cache    *code.Cache
	Runtimes *runtimes.Set
	Logs     *telemetry.Logs
	Metrics  *telemetry.Metrics
}

// Manager is the worker manager of one node.
type Manager struct {
	rooms Rooms
	opts  Options

	sets   sync.Map // revision ID -> *set
	keeper *keeper

	// leaving is the memory of environments that end, in MiB: it is free soon,
	// and no others need to end for it.
	leaving atomic.Int64
	// saturated says that the machine's processors had hardly a moment of rest
	// lately.
	saturated atomic.Bool
	// occupied says that they had something to do in the last seconds.
	occupied atomic.Bool
	// preparing counts the calls of Prepare that have not returned.
	preparing atomic.Int64
	// gaveUp is when something that stood by had to give way, at last; nil: never.
	gaveUp atomic.Pointer[time.Time]

	mu     sync.Mutex
	active map[account.ID][]*pool.Instance
	alive  map[*Environment]struct{} // all that remove was not called for yet
	freed  chan struct{}             // closed and replaced whenever memory is given back
	worth  clock                     // see reclaim.go

	ctx    context.Context // ends at Close; everything in the background hangs on it
	cancel context.CancelFunc
	wg     sync.WaitGroup
	closed bool // guarded by mu: no goroutine starts after Close
}

// New starts a manager; Close ends it.
func New(rooms Rooms, opts Options) *Manager {
	m := &Manager{rooms: rooms, opts: opts, active: map[account.ID][]*pool.Instance{}, alive: map[*Environment]struct{}{}, freed: make(chan struct{}), keeper: newKeeper()}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.spawn(m.tend)
	m.spawn(m.keep)
	m.spawn(m.standBy)
	return m
}

// Close ends every environment and waits for all that runs in the background.
// Invocations under way fail; the caller drains them first.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	for e := range m.alive {
		e.box.Kill()
	}
	m.mu.Unlock()
	m.cancel()
	m.wg.Wait()
	for _, i := range m.Instances() {
		if err := i.Close(); err != nil {
			m.opts.Log.Warn("cannot remove the pre-booted environments of an instance", "instance", i.ID(), "error", err)
		}
	}
}

// spawn runs f in a goroutine that Close waits for; after Close it does nothing
// and returns false.
func (m *Manager) spawn(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.wg.Go(f)
	return true
}

// Instances lists the active pool.
func (m *Manager) Instances() []*pool.Instance {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*pool.Instance
	for _, list := range m.active {
		all = append(all, list...)
	}
	return all
}
