package worker

import (
	"sync"
	"sync/atomic"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
)

// Reason says which limit an invocation ran into; the values are the API's
// (TooManyRequestsException, member Reason).
type Reason string

// The reasons of [Concurrency.Admit].
const (
	ReasonReserved Reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
	ReasonAccount  Reason = "ConcurrentInvocationLimitExceeded"
)

// Concurrency counts what runs at once and keeps it within the limits: a
// function with reserved concurrency has that much for itself alone, all
// others of an account share what is left of the account's limit.
type Concurrency struct {
	limit func(account.ID) int // the account's

	mu       sync.Mutex
	reserved map[function.Key]int

	accounts  sync.Map // account.ID -> *shared
	functions sync.Map // function ID -> *atomic.Int64; of functions that have something for themselves
}

// shared is what the functions of an account without a reservation share.
type shared struct {
	running  atomic.Int64
	reserved atomic.Int64 // what the account's other functions reserved
}

// NewConcurrency returns counters with nothing running. limit tells an
// account's concurrency limit; it is called for each invocation.
func NewConcurrency(limit func(account.ID) int) *Concurrency {
	return &Concurrency{limit: limit, reserved: map[function.Key]int{}}
}

// Changed tells how much of the account's concurrency a function has for itself,
// by reservation or else as provisioned concurrency: none when it is negative
// or the function is gone.
func (c *Concurrency) Changed(key function.Key, reserved int) {
	reserved = max(reserved, 0)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.account(key.Account).reserved.Add(int64(reserved - c.reserved[key]))
	if reserved == 0 {
		delete(c.reserved, key)
	} else {
		c.reserved[key] = reserved
	}
}

func (c *Concurrency) account(id account.ID) *shared {
	if s, ok := c.accounts.Load(id); ok {
		return s.(*shared)
	}
	s, _ := c.accounts.LoadOrStore(id, &shared{})
	return s.(*shared)
}

// Admission is one invocation that counts until Done.
type Admission struct{ counter *atomic.Int64 }

// Done ends the invocation.
func (a Admission) Done() { a.counter.Add(-1) }

// Admit counts one more invocation of a function whose reserved concurrency is
// reserved (negative: none), or says why it may not run. Without a reservation,
// guaranteed is what provisioned concurrency has the function run in any case.
func (c *Concurrency) Admit(owner account.ID, functionID string, reserved, guaranteed int) (Admission, Reason) {
	if reserved >= 0 {
		return admit(c.own(functionID), int64(reserved), ReasonReserved)
	}
	if guaranteed > 0 {
		if a, full := admit(c.own(functionID), int64(guaranteed), ReasonAccount); full == "" {
			return a, ""
		}
	}
	s := c.account(owner)
	return admit(&s.running, int64(c.limit(owner))-s.reserved.Load(), ReasonAccount)
}

// own is the counter of a function that has something for itself.
func (c *Concurrency) own(functionID string) *atomic.Int64 {
	counter, ok := c.functions.Load(functionID)
	if !ok {
		counter, _ = c.functions.LoadOrStore(functionID, &atomic.Int64{})
	}
	return counter.(*atomic.Int64)
}

func admit(counter *atomic.Int64, limit int64, reason Reason) (Admission, Reason) {
	if counter.Add(1) > limit {
		counter.Add(-1)
		return Admission{}, reason
	}
	return Admission{counter}, ""
}

// Running is how many invocations of the account without a reservation run now.
func (c *Concurrency) Running(owner account.ID) int {
	return int(c.account(owner).running.Load())
}
