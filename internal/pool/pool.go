// Package pool is the warming pool: instances that belong to nobody yet, with
// environments booted to the point where only the code is missing.
//
// It owns these instances and a forecast of demand by runtime, and refills
// itself in the background, one boot at a time and behind requests. The worker
// manager takes from it; what was taken becomes an account's and never comes
// back, but more can be pre-booted in it. The memory that environments may
// reserve on this node, the [Budget], is kept here too, since both rooms draw on
// it.
package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/sandbox"
)

const (
	// perInstance pre-booted environments share an instance of the warming
	// pool, so that an account's next cold starts are quick as well.
	perInstance = 4
	// prebootMB is reserved for a pre-booted environment: an interpreter that
	// does nothing fits in well.
	prebootMB = 64
	// DefaultTmpMB is the size of /tmp that most functions have, Lambda's default.
	DefaultTmpMB = 512
	// patience is how long a refill lets requests go first.
	patience = time.Second
	// restFor is how long an environment has to come up behind all others, on a
	// machine that is occupied, before the next is booted.
	restFor = time.Second
)

// Options configure a [Pool].
type Options struct {
	// Floor environments are kept ready of every runtime in use, at least; at
	// most Ceiling, whatever the forecast.
	Floor, Ceiling int
	// InstanceMB is the capacity of an instance.
	InstanceMB int
	// CPUPerMB is in thousandths of a CPU for each MiB.
	CPUPerMB float64
	Log      *slog.Logger
	// Now is the clock of the forecast.
	Now func() time.Time
}

// Boot says how to boot an environment of a runtime.
type Boot func(runtime string) (sandbox.BootSpec, error)

// Pool is the warming pool of one node.
type Pool struct {
	driver sandbox.Driver
	budget *Budget
	boot   Boot
	opts   Options

	// coldStarts counts the requests that wait for a boot; refills let them
	// go first.
	coldStarts atomic.Int64
	// occupied is what the worker manager said last.
	occupied atomic.Bool
	// calmUntil is until when nothing is booted, in Unix nanoseconds.
	calmUntil atomic.Int64
	wake      chan struct{} // capacity 1; never closed
	// turn is held by who boots: two at a time would disturb requests more than
	// twice as much.
	turn sync.Mutex

	mu        sync.Mutex
	instances []*Instance
	runtimes  map[string]*Forecast // of the runtimes in use
	failures  map[string]time.Time // runtime -> when its boot failed last
}

// New returns an empty pool. Run fills it.
func New(driver sandbox.Driver, budget *Budget, boot Boot, opts Options) *Pool {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Pool{
		driver: driver, budget: budget, boot: boot, opts: opts,
		wake: make(chan struct{}, 1), runtimes: map[string]*Forecast{}, failures: map[string]time.Time{},
	}
}

// Keep says that a runtime is in use: from now on at least Floor environments
// of it are kept ready.
func (p *Pool) Keep(runtime string) {
	p.mu.Lock()
	_, known := p.runtimes[runtime]
	if !known {
		p.runtimes[runtime] = &Forecast{}
	}
	p.mu.Unlock()
	if !known {
		p.nudge()
	}
}

// Take assigns an instance with a pre-booted environment of the runtime to the
// account and returns the environment, or nil when there is none. The other
// environments of the instance are the account's from now on.
func (p *Pool) Take(runtime string, to account.ID) *Ready {
	defer p.nudge()
	for {
		i := p.unlist(runtime)
		if i == nil {
			return nil
		}
		i.mu.Lock()
		i.account = to
		i.mu.Unlock()
		if r := i.TakeReady(runtime); r != nil {
			return r
		}
		if err := i.Close(); err != nil { // all of them had ended
			p.opts.Log.Warn("cannot remove an instance of the warming pool", "instance", i.ID(), "error", err)
		}
	}
}

// Arrived tells the forecast that an environment of the runtime was asked for.
func (p *Pool) Arrived(runtime string) {
	p.Keep(runtime)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runtimes[runtime].Arrived(p.opts.Now(), 1)
}

// ColdStart is called when a request begins to wait for a boot; refills stand
// back until the returned function is called.
func (p *Pool) ColdStart() (done func()) {
	p.coldStarts.Add(1)
	return func() {
		if p.coldStarts.Add(-1) == 0 {
			p.nudge()
		}
	}
}

// Calm has refills stand back for a moment: requests are about to go to
// environments that have just been made.
func (p *Pool) Calm() { p.calmUntil.Store(p.opts.Now().Add(restFor).UnixNano()) }

// Occupied says whether the machine's processors have something to do: refills
// are then made in what that leaves, and rest in between.
func (p *Pool) Occupied(is bool) { p.occupied.Store(is) }

// unlist removes an instance that has the runtime ready from the pool's list.
func (p *Pool) unlist(runtime string) *Instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, i := range p.instances {
		for _, r := range i.Ready() {
			if r.Runtime == runtime {
				p.instances = append(p.instances[:n:n], p.instances[n+1:]...)
				return i
			}
		}
	}
	return nil
}

// NewInstance makes an instance for an account, or for nobody yet.
func (p *Pool) NewInstance(ctx context.Context, owner account.ID) (*Instance, error) {
	id := "i-" + uuid.NewString()[24:]
	box, err := p.driver.CreateInstance(ctx, id, sandbox.Capacity{
		MemoryMB: p.opts.InstanceMB,
		CPUMilli: int(float64(p.opts.InstanceMB) * p.opts.CPUPerMB),
		Pids:     pidsPerInstance,
	})
	if err != nil {
		return nil, fmt.Errorf("new instance: %w", err)
	}
	return &Instance{Instance: box, budget: p.budget, account: owner}, nil
}

// pidsPerInstance bounds all environments of an instance together; each has
// its own bound of 1,024 as in Lambda.
const pidsPerInstance = 32_768

// Instances lists the instances of the warming pool.
func (p *Pool) Instances() []*Instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*Instance(nil), p.instances...)
}

// Shrink discards one pre-booted environment to make room, if there is one.
func (p *Pool) Shrink() bool {
	for _, i := range p.Instances() {
		if r := i.TakeAny(); r != nil {
			p.discard(r)
			return true
		}
	}
	return false
}

// discard ends a pre-booted environment that was taken out of its instance.
func (p *Pool) discard(r *Ready) {
	if err := r.Discard(); err != nil {
		p.opts.Log.Warn("cannot remove a pre-booted environment", "environment", r.ID(), "error", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.instances = slices.DeleteFunc(p.instances, (*Instance).Gone)
}

// Run keeps the pool filled until ctx ends, and empties it then.
func (p *Pool) Run(ctx context.Context) {
	tick := time.NewTicker(window)
	defer tick.Stop()
	for {
		for ctx.Err() == nil && p.refillOne(ctx) {
		}
		p.trim()
		select {
		case <-ctx.Done():
			p.drain()
			return
		case <-p.wake:
		case <-tick.C:
		}
	}
}

// nudge makes Run look again.
func (p *Pool) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// wants is the number of environments to keep ready of each runtime.
func (p *Pool) wants() map[string]int {
	now := p.opts.Now()
	wants := make(map[string]int, len(p.runtimes))
	for name, f := range p.runtimes {
		wants[name] = min(max(f.Want(now), p.opts.Floor), p.opts.Ceiling)
	}
	return wants
}

// has counts the environments that are ready by runtime.
func (p *Pool) has() map[string]int {
	has := map[string]int{}
	for _, i := range p.instances {
		for _, r := range i.Ready() {
			has[r.Runtime]++
		}
	}
	return has
}

// refillOne boots one environment of the runtime that lacks most, and tells
// whether there may be more to do. It does so gently while at least half of what
// is wanted is ready.
func (p *Pool) refillOne(ctx context.Context) bool {
	p.standBack(ctx)
	p.mu.Lock()
	wants, has := p.wants(), p.has()
	name, lack := "", 0
	for n, want := range wants {
		if p.opts.Now().Sub(p.failures[n]) < 10*time.Second {
			continue
		}
		if l := want - has[n]; l > lack || l == lack && l > 0 && n < name {
			name, lack = n, l
		}
	}
	p.mu.Unlock()
	if lack == 0 {
		return false
	}
	gently := p.occupied.Load() && 2*has[name] >= wants[name]
	err := p.refillWith(ctx, name, gently)
	switch {
	case err == nil:
		return true
	case errors.Is(err, errGone):
		return true
	case errors.Is(err, errNoRoom) || ctx.Err() != nil:
		return false
	default:
		p.opts.Log.Warn("cannot boot an environment for the warming pool; trying again later", "runtime", name, "error", err)
		p.mu.Lock()
		p.failures[name] = p.opts.Now()
		p.mu.Unlock()
		return true // perhaps of another runtime
	}
}

// refillWith boots one environment when it is its turn, and gives it time to come
// up if that is to be done gently.
func (p *Pool) refillWith(ctx context.Context, runtime string, gently bool) error {
	p.turn.Lock()
	defer p.turn.Unlock()
	r, err := p.bootOne(ctx, runtime, gently)
	if err == nil && gently {
		comeUp(ctx, r)
	}
	return err
}

// standBack waits while requests wait for boots, but not for ever, and until it
// need not be calm any more.
func (p *Pool) standBack(ctx context.Context) {
	p.letColdStartsGo(ctx)
	for ctx.Err() == nil {
		d := time.Unix(0, p.calmUntil.Load()).Sub(p.opts.Now())
		if d <= 0 {
			return
		}
		rest(ctx, d)
	}
}

func (p *Pool) letColdStartsGo(ctx context.Context) {
	if p.coldStarts.Load() == 0 {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for p.coldStarts.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-p.wake:
		}
	}
}

var (
	errNoRoom = errors.New("no room on this node")
	errGone   = errors.New("the instance is gone")
)

// bootOne boots one environment into an instance of the pool with room for
// it, or into a new one.
func (p *Pool) bootOne(ctx context.Context, runtime string, gently bool) (*Ready, error) {
	i := p.roomFor(runtime)
	if i == nil {
		var err error
		if i, err = p.NewInstance(ctx, ""); err != nil {
			return nil, err
		}
		if !i.Hold(prebootMB) {
			return nil, errors.Join(errNoRoom, i.Destroy())
		}
	}
	r, err := p.bootIn(ctx, i, runtime, gently)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i.Account() != "" {
		return r, nil // was taken meanwhile; the account has one more
	}
	if !slices.Contains(p.instances, i) {
		p.instances = append(p.instances, i)
	}
	return r, nil
}

// bootIn boots one environment into an instance that holds memory for it.
func (p *Pool) bootIn(ctx context.Context, i *Instance, runtime string, gently bool) (*Ready, error) {
	defer i.expect(runtime)()
	spec, err := p.boot(runtime)
	if err != nil {
		return nil, errors.Join(err, i.Let(prebootMB))
	}
	spec.Limits = PrebootLimits()
	spec.TmpMB = DefaultTmpMB
	spec.Rank = sandbox.Behind // whoever takes it raises it
	if gently {
		spec.Rank = sandbox.Last
	}
	e, err := i.Boot(ctx, NewID(), spec)
	if err != nil {
		return nil, errors.Join(err, i.Let(prebootMB))
	}
	r := &Ready{Environment: e, Instance: i, Runtime: runtime, MB: prebootMB, Booted: p.opts.Now()}
	if !i.add(r) {
		return nil, errors.Join(errGone, r.Discard())
	}
	return r, nil
}

// comeUp gives a pre-booted environment time to come up, and then raises its rank
// if it was made behind all others.
func comeUp(ctx context.Context, r *Ready) {
	rest(ctx, restFor)
	r.Instance.raise(r)
}

// rest waits until ctx ends at most.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// BootInto boots one environment of a runtime into an account's instance, gently,
// and gives it time to come up. So many times the instance's capacity may be
// promised for it, but no more of the budget than there is; where there is no
// room it does nothing.
func (p *Pool) BootInto(ctx context.Context, i *Instance, runtime string, times float64) error {
	p.standBack(ctx)
	p.turn.Lock()
	defer p.turn.Unlock()
	if !i.hold(prebootMB, times, 1) {
		return nil
	}
	r, err := p.bootIn(ctx, i, runtime, p.occupied.Load())
	switch {
	case errors.Is(err, errGone):
		return nil
	case err != nil:
		return err
	}
	comeUp(ctx, r)
	return nil
}

// PerInstance is how many pre-booted environments an instance is to have at most.
func (p *Pool) PerInstance() int { return min(perInstance, p.opts.Ceiling) }

// roomFor returns an instance of the pool with fewer than perInstance
// environments, all of this runtime, and holds memory in it.
func (p *Pool) roomFor(runtime string) *Instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.instances {
		ready := i.Ready()
		if len(ready) < perInstance && len(ready) > 0 && ready[0].Runtime == runtime && i.Hold(prebootMB) {
			return i
		}
	}
	return nil
}

// PrebootLimits are the limits of an environment that has no function yet.
func PrebootLimits() sandbox.Limits {
	return sandbox.Limits{MemoryMB: prebootMB, Pids: 1024}
}

// NewID names a new environment; log streams carry it, as in Lambda.
func NewID() string {
	id := uuid.New()
	return fmt.Sprintf("%x", id[:])
}

// trim discards what has ended by itself and what the forecast no longer wants.
func (p *Pool) trim() {
	p.mu.Lock()
	wants, has := p.wants(), p.has()
	var surplus []*Ready
	for _, i := range p.instances {
		for _, r := range i.Ready() {
			ended := false
			select {
			case <-r.Done():
				ended = true
			default:
			}
			// One more than wanted may stay: the forecast wavers.
			if (ended || has[r.Runtime] > wants[r.Runtime]+1) && i.Take(r) {
				has[r.Runtime]--
				surplus = append(surplus, r)
			}
		}
	}
	p.mu.Unlock()
	for _, r := range surplus {
		p.discard(r)
	}
}

// drain discards everything.
func (p *Pool) drain() {
	p.mu.Lock()
	instances := p.instances
	p.instances = nil
	p.mu.Unlock()
	for _, i := range instances {
		if err := i.Close(); err != nil {
			p.opts.Log.Warn("cannot remove an instance of the warming pool", "instance", i.ID(), "error", err)
		}
	}
}
