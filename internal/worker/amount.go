package worker

import (
	"cmp"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/sandbox"
)

const (
	// growLeast is the least that a running environment is grown by at once,
	// if there is so much; else by less, down to growMinimum. Otherwise it is
	// half of what it has.
	growLeast   function.MemoryMB = 64
	growMinimum function.MemoryMB = 8
	// shrinkAgain is how soon an environment is asked again to do with less,
	// after it had more than that in use.
	shrinkAgain = 5 * time.Second
)

// Amount is what an environment is given.
type Amount struct {
	// Memory is the limit of its memory.
	Memory function.MemoryMB
	// CPU is the memory whose share of CPU it gets.
	CPU function.MemoryMB
	// Ceiling is how far its memory may be grown while it runs, before it is
	// ended for using more than it has; when it is not above Memory, not at all.
	Ceiling function.MemoryMB
}

// Asked is the amount that the owner of a revision asked for.
func Asked(rev *function.Revision) Amount {
	return Amount{Memory: rev.Config.Memory, CPU: rev.Config.Memory}
}

// holding is what an environment has. Its memory is reserved in its instance
// and in the node's budget, neither less nor more, at every moment that mu is
// free; that is why reservation and limit change under one lock, in the order
// that never has a limit above the reservation.
type holding struct {
	mu      sync.Mutex
	amount  Amount
	running bool // initialised: it has a quota of CPU
	guarded bool // the driver calls grow
	ended   bool // the reservation is given back
	refused time.Time
	// told is the memory that the function was told it has.
	told function.MemoryMB
}

// Amount is what the environment has at the moment.
func (e *Environment) Amount() Amount {
	e.holding.mu.Lock()
	defer e.holding.mu.Unlock()
	return e.holding.amount
}

// memory is what is reserved for the environment, in MiB.
func (e *Environment) memory() int { return int(e.Amount().Memory) }

// limits are those of an amount. There is no CPU quota until the function is
// initialised, as in Lambda.
func (e *Environment) limits(a Amount) sandbox.Limits {
	l := sandbox.Limits{MemoryMB: int(a.Memory), Pids: e.m.pids(a.Memory), NetworkMbit: e.m.networkMbit(a.CPU)}
	if e.holding.running {
		l.CPUMilli = e.m.cpuMilli(a.CPU)
	}
	return l
}

// fit gives the environment another amount in place, if it is another. It is
// false when its instance has no room for more, or when it has ended: it is
// then as it was. An environment that has more memory in use than it is to
// have keeps what it has for now.
func (e *Environment) fit(a Amount) bool {
	h := &e.holding
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return false
	}
	now := h.amount
	if a.Memory < now.Memory && (!h.refused.IsZero() && time.Since(h.refused) < shrinkAgain) {
		a.Memory = now.Memory
	}
	if a.Memory != now.Memory || a.CPU != now.CPU {
		if !e.resize(a) {
			return false
		}
	}
	h.amount.Ceiling = a.Ceiling
	if a.Ceiling > h.amount.Memory && !h.guarded {
		h.guarded = e.box.Guard(e.grow) == nil // else it has ended, which shows soon
	}
	return true
}

// resize changes reservation and limits; the caller holds mu.
func (e *Environment) resize(a Amount) bool {
	h := &e.holding
	more := int(a.Memory - h.amount.Memory)
	for more > 0 && !e.instance.Grow(more) {
		if !e.m.makeRoom(e.instance, more) {
			return false
		}
	}
	err := e.box.SetLimits(e.limits(a))
	switch {
	case errors.Is(err, sandbox.ErrInUse):
		h.refused = time.Now()
		if more > 0 {
			e.instance.Grow(-more)
		}
		a.Memory = h.amount.Memory
	case err != nil:
		if more > 0 {
			e.instance.Grow(-more)
		}
		return false
	case more < 0:
		e.instance.Grow(more)
		e.m.memoryFreed(e.instance)
	}
	h.amount = a
	return true
}

// grow gives a running environment more memory, as long as there is some in its
// instance and on the node, and up to its ceiling. The driver calls it when the
// environment is near its limit; false leaves it to the kernel.
func (e *Environment) grow() bool {
	h := &e.holding
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.amount
	for more := min(now.Ceiling-now.Memory, max(now.Memory/2, growLeast)); !h.ended && more >= growMinimum; more /= 2 {
		next := now
		next.Memory += more
		if e.resize(next) {
			e.m.rooms.Metrics.Grown(int(more))
			return true
		}
	}
	h.guarded = false
	return false
}

// release ends all changes and returns how much memory is to be given back.
func (e *Environment) release() int {
	e.holding.mu.Lock()
	defer e.holding.mu.Unlock()
	e.holding.ended = true
	return int(e.holding.amount.Memory)
}

// initialised gives the environment the CPU quota of its amount.
func (e *Environment) initialised() error {
	e.holding.mu.Lock()
	defer e.holding.mu.Unlock()
	e.holding.running = true
	return e.box.SetLimits(e.limits(e.holding.amount))
}

// tell returns the memory to tell the function of, or 0 when it knows: it was
// told at its start, and is told again with the first invocation after a change.
func (e *Environment) tell() function.MemoryMB {
	e.holding.mu.Lock()
	defer e.holding.mu.Unlock()
	if e.holding.told == e.holding.amount.Memory {
		return 0
	}
	e.holding.told = e.holding.amount.Memory
	return e.holding.told
}

// refit gives all idle environments the amounts that their revisions have by
// now, without a restart, frozen or not.
func (m *Manager) refit() {
	now := time.Now()
	m.sets.Range(func(_, v any) bool {
		s := v.(*set)
		resting := s.resting()
		if len(resting) == 0 {
			return true
		}
		amount := m.amountOf(s.revision)
		for _, e := range resting {
			s.mu.Lock()
			idle := now.Sub(e.idleSince)
			s.mu.Unlock()
			if idle >= m.opts.FreezeAfter {
				e.refit(amount)
			}
		}
		return m.ctx.Err() == nil
	})
}

// refit is [Manager.refit] for one environment. A request that comes meanwhile
// waits for it and does not boot another.
func (e *Environment) refit(a Amount) {
	h := &e.holding
	h.mu.Lock()
	same := h.amount.Memory == a.Memory && h.amount.CPU == a.CPU
	soon := a.Memory < h.amount.Memory && !h.refused.IsZero() && time.Since(h.refused) < shrinkAgain
	h.mu.Unlock()
	if same || soon || !e.set.rest(e) {
		return
	}
	e.fit(a) // where it fails, Acquire sees to it
	if !e.set.rested(e) {
		e.Discard()
	}
}

// amountOf is what a revision's environments are given when no request says
// otherwise.
func (m *Manager) amountOf(rev *function.Revision) Amount {
	if m.opts.AmountOf == nil {
		return Asked(rev)
	}
	return m.opts.AmountOf(rev)
}

// cpuMilli is the CPU quota that goes with an amount of memory, 0 for none:
// where the share is more than the machine has, there is nothing to limit.
func (m *Manager) cpuMilli(memory function.MemoryMB) int {
	milli := max(1, int(memory)*1000/m.perCPU())
	if milli >= runtime.NumCPU()*1000 {
		return 0
	}
	return milli
}

// processors is how many environments of an amount could each use its whole
// share of CPU, or one processor where that is more, at the same time.
func (m *Manager) processors(memory function.MemoryMB) float64 {
	share := min(1, float64(memory)/float64(m.perCPU()))
	return float64(runtime.NumCPU()) / share
}

// perCPU is how much memory comes with one whole CPU, in MiB.
func (m *Manager) perCPU() int { return cmp.Or(m.opts.MBPerCPU, MBPerCPU) }

// pids is how many processes and threads go with an amount of memory: Lambda's
// number up to one whole CPU, and then in proportion.
func (m *Manager) pids(memory function.MemoryMB) int {
	return max(maxPids, maxPids*int(memory)/m.perCPU())
}

// networkMbit is the bandwidth that goes with an amount of memory, 0 for any.
func (m *Manager) networkMbit(memory function.MemoryMB) int {
	if m.opts.MbitPerCPU == 0 {
		return 0
	}
	return max(1, m.opts.MbitPerCPU*int(memory)/m.perCPU())
}

const (
	// measureAllFrom is how long an execution must have taken to be measured
	// thoroughly: a hundred times and more what that costs. Of shorter ones
	// every measureAllEvery-th is. Between two thorough measures there is
	// measureAllRest at least: many clients can make short ones take long.
	measureAllFrom  = 5 * time.Millisecond
	measureAllRest  = 100 * time.Millisecond
	measureAllEvery = 64
)

// Measure returns what the invocation that just ended used; took is how long it
// took. Short ones are measured thoroughly only once in a while, and that
// once, throttling and traffic are those of all since the last time. Of an
// environment's first invocation, the peak is also that of its initialisation.
// What can't be had any more, of an environment that has ended, is 0.
func (e *Environment) Measure(took time.Duration) sandbox.Measures {
	n := e.invocations.Load()
	take := e.box.Measure
	if now := time.Now(); (n%measureAllEvery == 0 || took >= measureAllFrom) && now.Sub(e.measuredAll) >= measureAllRest {
		take, e.measuredAll = e.box.MeasureAll, now
	}
	m, err := take()
	if err != nil {
		return sandbox.Measures{}
	}
	if n == 1 {
		m.Peak = max(m.Peak, e.initPeak)
	}
	amount := e.Amount()
	m.Peak = min(m.Peak, int64(amount.Memory)<<20)
	e.work = work{cpu: m.CPU, processors: e.m.processors(amount.CPU)}
	return m
}
