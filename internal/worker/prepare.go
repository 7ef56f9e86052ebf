package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/pool"
	"github.com/hearthd/hearth/internal/runtimeapi"
	"github.com/hearthd/hearth/internal/runtimes"
	"github.com/hearthd/hearth/internal/sandbox"
	"github.com/hearthd/hearth/internal/telemetry"
)

// lookEvery is how often a request that waits for room on a full node looks
// for environments that became idle, or were pre-booted, meanwhile.
const lookEvery = 20 * time.Millisecond

// On a machine that is occupied, an initialisation that nobody waits for comes
// last for as long as lastFor, and stands behind others until hurryAfter; so long
// that it hardly matters to them, and it comes to an end on a machine that is
// never idle, too.
const (
	lastFor    = 600 * time.Millisecond
	hurryAfter = 2 * time.Second
)

// maxPids is Lambda's limit of processes and threads in an environment; see pids.
const maxPids = 1024

// InitFailure is returned by Acquire when the function's own initialisation
// failed: its fault, and so an answer of the function's.
type InitFailure struct {
	// Posted is what the runtime reported, nil when it ended without a word.
	Posted *runtimeapi.InitError
	// Exit says how the runtime ended, when it did.
	Exit *sandbox.Exit
	// TimedOut says that it took longer than the function's time-out.
	TimedOut bool
	Duration time.Duration
	// Amount is what the environment had in the end.
	Amount Amount
	// Peak is the most memory the environment used, in bytes.
	Peak int64
	// Tail is the output of the initialisation, at most the last 4 KB.
	Tail []byte
	// EnvironmentID names the log stream that the output went to.
	EnvironmentID string
}

func (f *InitFailure) Error() string {
	switch {
	case f.Posted != nil:
		return "the function's initialisation reported " + f.Posted.ErrorType
	case f.TimedOut:
		return "the function's initialisation timed out"
	default:
		return "the function's runtime ended during its initialisation"
	}
}

// order says what an environment is made for.
type order struct {
	by runtimes.Initialization // what the function is told
	// ahead says that nobody waits: the environment will replace others that
	// serve until then. On a machine that is occupied it is made in what running
	// requests leave, and instance and node may be promised a little more than
	// they have while both are there.
	ahead bool
	// spare says that who waits now is served by others: it is for those to come.
	spare bool
	// beside are the instances to look for room in first.
	beside []*pool.Instance
}

// onDemand says that the environment is made for requests that wait.
func (o order) onDemand() bool { return !o.ahead && o.by == runtimes.OnDemandInit }

// rank is how the environment stands until it is ready.
func (m *Manager) rank(o order) sandbox.Rank {
	switch {
	case o.ahead && m.occupied.Load():
		return sandbox.Last
	case o.spare && m.occupied.Load():
		return sandbox.Behind
	default:
		return sandbox.Ordinary
	}
}

// prepare makes an environment of the set's revision, ready for its first
// invocation. An initialisation that fails, or takes longer than InitFor, is
// tried once more in a new environment, for as long as the function's own
// time-out, and what comes of that counts: Lambda calls it suppressed init.
// Where nobody waits, a failure counts at once.
func (m *Manager) prepare(ctx context.Context, s *set, o order) (*Environment, error) {
	e, err := m.prepareWithin(ctx, s, o, m.opts.InitFor)
	var failure *InitFailure
	if errors.As(err, &failure) && (failure.TimedOut || !o.ahead) {
		e, err = m.prepareWithin(ctx, s, o, time.Duration(s.revision.Config.TimeoutSec)*time.Second)
	}
	return e, err
}

func (m *Manager) prepareWithin(ctx context.Context, s *set, o order, limit time.Duration) (*Environment, error) {
	rev := s.revision
	rt, _, err := m.rooms.Runtimes.For(rev.Config.Runtime)
	if err != nil {
		return nil, err
	}
	lease, err := m.rooms.Cache.Acquire(ctx, rev.CodeSHA256)
	if err != nil {
		return nil, fmt.Errorf("fetch the code of %s: %w", rev.Name, err)
	}
	if !o.ahead { // a deployment tells nothing of the demand to come
		m.rooms.Pool.Arrived(rt.Name)
	}
	amount := s.needs(m.amountOf(rev))
	placed, err := m.place(ctx, s, rt, o, int(amount.Memory))
	if err != nil {
		lease.Release()
		return nil, err
	}
	e := &Environment{
		m: m, set: s, box: placed.Environment, instance: placed.Instance, lease: lease,
		endpoint: runtimeapi.Serve(placed.RuntimeAPI(), runtimeapi.Options{Log: m.opts.Log}),
		booted:   time.Now(),
	}
	e.holding.amount = amount
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.output, err = carry(placed.Output(), m.rooms.Logs.Stream(rev.Key, rev.Version, placed.ID()))
	if err != nil {
		panic(fmt.Sprintf("an environment's output is not a pollable file: %v", err)) // the driver's contract
	}
	m.mu.Lock()
	m.alive[e] = struct{}{}
	m.mu.Unlock()
	err = e.initialise(ctx, rt, o, limit)
	if err == nil {
		err = e.box.SetRank(sandbox.Ordinary)
	}
	if err != nil {
		e.remove()
		return nil, err
	}
	if !m.spawn(e.watch) {
		e.remove()
		return nil, ErrClosed
	}
	return e, nil
}

// initialise gives the environment its code and waits until the runtime asks
// for its first invocation. There is no CPU quota meanwhile, as in Lambda.
func (e *Environment) initialise(ctx context.Context, rt runtimes.Runtime, o order, limit time.Duration) error {
	rev := e.set.revision
	amount := e.Amount()
	start := time.Now()
	rank := e.m.rank(o)
	if err := e.box.SetRank(rank); err != nil { // a pre-booted one stands behind others
		return err
	}
	if rank != sandbox.Ordinary {
		defer e.rise()()
	}
	err := e.box.Attach(ctx, sandbox.AttachSpec{TaskDir: e.lease.Dir, Limits: e.limits(amount), TmpMB: rev.Config.EphemeralMB})
	if err != nil {
		return err
	}
	log := e.output.stream
	log.BeginTail()
	spec, err := e.m.rooms.Runtimes.Start(rt, rev, runtimes.Launch{
		Region: e.m.opts.Region, LogGroup: log.Group(), LogStream: log.Name(), TaskDir: e.lease.Dir, Memory: amount.Memory,
		Initialization: o.by,
	})
	if err != nil {
		return err
	}
	e.holding.told = amount.Memory
	if !e.fit(amount) { // arms the guard, if it may grow
		return sandbox.ErrGone
	}
	if err := e.box.Start(spec); err != nil {
		return err
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	failure := &InitFailure{}
	select {
	case <-e.endpoint.Ready():
		e.init = time.Since(start)
		measures, err := e.box.MeasureAll() // so that the first invocation's begin here
		if err != nil {
			return err
		}
		e.initPeak = measures.Peak
		return e.initialised()
	case posted := <-e.endpoint.InitError():
		failure.Posted = &posted
	case <-e.box.Done():
		exit := e.box.Exit()
		failure.Exit = &exit
		select { // it reported and ended at once
		case posted := <-e.endpoint.InitError():
			failure.Posted = &posted
		default:
		}
	case <-timer.C:
		failure.TimedOut = true
	case <-ctx.Done():
		return ctx.Err()
	}
	failure.Duration, failure.EnvironmentID = time.Since(start), e.box.ID()
	failure.Amount, failure.Peak = e.Amount(), e.PeakMemory()
	e.output.drain()
	failure.Tail = log.Tail()
	return failure
}

// rise raises the rank step by step until the returned function is called, which
// initialise does when it returns; the rank does not change by itself any more.
func (e *Environment) rise() (stop func()) {
	var mu sync.Mutex
	stopped := false
	after := func(d time.Duration, r sandbox.Rank) *time.Timer {
		return time.AfterFunc(d, func() {
			mu.Lock()
			defer mu.Unlock()
			if !stopped {
				_ = e.box.SetRank(r) // unless it has ended
			}
		})
	}
	behind, ordinary := after(lastFor, sandbox.Behind), after(hurryAfter, sandbox.Ordinary)
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		behind.Stop()
		ordinary.Stop()
	}
}

// place finds room for an environment of this revision and returns it booted
// but without code, reserving that much memory. While the node is full it
// ends idle environments, the least valuable first, and then waits, if a
// request does. When none does any more it fails with errNotWanted: others must
// not end for it.
func (m *Manager) place(ctx context.Context, s *set, rt runtimes.Runtime, o order, memory int) (*pool.Ready, error) {
	rev, start := s.revision, time.Now()
	if memory > m.rooms.Budget.Limit() {
		return nil, fmt.Errorf("%w: an environment of %d MB is asked for and this node has %d MB for functions in all", ErrNoCapacity, memory, m.rooms.Budget.Limit())
	}
	limit := time.NewTimer(m.opts.QueueFor)
	defer limit.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		freed := m.freedSignal() // before the try, so that nothing is missed
		r, err := m.tryPlace(ctx, rev, rt, o, memory)
		if !errors.Is(err, errNoRoom) {
			return r, err
		}
		if short := memory - int(m.leaving.Load()); short > 0 {
			if m.giveUpAnyReady() {
				continue
			}
			if o.onDemand() && !s.wanted() {
				return nil, errNotWanted
			}
			if !m.evict(short, time.Since(start)) {
				if m.rooms.Pool.Shrink() {
					continue
				}
				if o.ahead {
					return nil, fmt.Errorf("%w: there is no room for it beside what runs", ErrNoCapacity)
				}
			}
		}
		select {
		case <-freed:
		case <-look.C: // something may be idle by now
		case <-limit.C:
			return nil, fmt.Errorf("%w: all %d MB for functions are in use", ErrNoCapacity, m.rooms.Budget.Limit())
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

var (
	errNoRoom    = errors.New("no room now")
	errNotWanted = errors.New("no room, and nobody waits for it any more")
)

// tryPlace goes through the places an environment can come from, the quickest
// first. It fails with errNoRoom when memory is short.
func (m *Manager) tryPlace(ctx context.Context, rev *function.Revision, rt runtimes.Runtime, o order, memory int) (*pool.Ready, error) {
	if o.ahead {
		if r, err := m.tryBeside(ctx, rev, rt, o, memory); !errors.Is(err, errNoRoom) {
			return r, err
		}
	}
	r, err := m.takeReady(rev, rt, memory)
	if err != nil {
		return nil, err
	}
	if r != nil {
		m.coldStart(o, telemetry.ColdPrebooted)
		return r, nil
	}
	i, err := m.roomOnInstance(ctx, rev, memory)
	if err != nil {
		return nil, err
	}
	m.coldStart(o, telemetry.ColdBooted)
	return m.bootIn(ctx, i, rev, rt, o, memory)
}

// coldStart counts an environment that a request waits for.
func (m *Manager) coldStart(o order, kind string) {
	if !o.ahead {
		m.rooms.Metrics.ColdStart(kind)
	}
}

// tryBeside is tryPlace on the instances where environments stand that this
// one is to replace. What is being pre-booted there will do: beside running
// requests, two boots at a time are felt much more than one after the other.
func (m *Manager) tryBeside(ctx context.Context, rev *function.Revision, rt runtimes.Runtime, o order, memory int) (*pool.Ready, error) {
	for {
		var coming <-chan struct{}
		for _, i := range o.beside {
			if r := i.TakeReadyWithin(rt.Name, memory, m.opts.Overlap); r != nil {
				return r, nil
			}
			if c := i.Coming(rt.Name); c != nil {
				coming = c
			}
		}
		if coming == nil {
			break
		}
		select {
		case <-coming:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	for _, i := range o.beside {
		if i.HoldWithin(memory, m.opts.Overlap) {
			return m.bootIn(ctx, i, rev, rt, o, memory)
		}
	}
	return nil, errNoRoom
}

// bootIn boots an environment in an instance that holds memory for it.
func (m *Manager) bootIn(ctx context.Context, i *pool.Instance, rev *function.Revision, rt runtimes.Runtime, o order, memory int) (*pool.Ready, error) {
	boot := m.rooms.Runtimes.Boot(rt)
	boot.Limits = sandbox.Limits{MemoryMB: memory, Pids: m.pids(function.MemoryMB(memory))}
	boot.TmpMB = rev.Config.EphemeralMB
	boot.Rank = m.rank(o)
	start := time.Now()
	box, err := i.Boot(ctx, pool.NewID(), boot)
	m.rooms.Metrics.Booted(rt.Name, time.Since(start), err)
	if err != nil {
		return nil, errors.Join(err, i.Let(memory))
	}
	return &pool.Ready{Environment: box, Instance: i, Runtime: rt.Name, MB: memory, Booted: time.Now()}, nil
}

// takeReady takes a pre-booted environment from one of the account's instances
// that has that much room, or with an instance from the warming pool; nil where
// there is none.
func (m *Manager) takeReady(rev *function.Revision, rt runtimes.Runtime, memory int) (*pool.Ready, error) {
	m.mu.Lock()
	owned := append([]*pool.Instance(nil), m.active[rev.Account]...)
	m.mu.Unlock()
	for _, i := range owned {
		if r := i.TakeReadyWithin(rt.Name, memory, 1); r != nil {
			return r, nil
		}
	}
	r := m.rooms.Pool.Take(rt.Name, rev.Account)
	if r == nil {
		return nil, nil
	}
	m.mu.Lock()
	m.active[rev.Account] = append(m.active[rev.Account], r.Instance)
	m.mu.Unlock()
	if !r.Instance.Grow(memory - r.MB) {
		m.discardReady(r)
		return nil, errNoRoom
	}
	r.MB = memory
	return r, nil
}

// roomOnInstance holds memory for a new environment on one of the account's
// instances, or on a new one.
func (m *Manager) roomOnInstance(ctx context.Context, rev *function.Revision, memory int) (*pool.Instance, error) {
	m.mu.Lock()
	for _, i := range m.active[rev.Account] {
		if i.Hold(memory) {
			m.mu.Unlock()
			return i, nil
		}
	}
	m.mu.Unlock()
	i, err := m.rooms.Pool.NewInstance(ctx, rev.Account)
	if err != nil {
		return nil, err
	}
	if !i.Hold(memory) {
		return nil, errors.Join(errNoRoom, i.Destroy())
	}
	m.mu.Lock()
	m.active[rev.Account] = append(m.active[rev.Account], i)
	m.mu.Unlock()
	return i, nil
}
