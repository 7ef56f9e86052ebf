package sizing

import (
	"time"

	"github.com/hearthd/hearth/internal/function"
)

// Amount is what an environment is given.
type Amount struct {
	// Memory is the limit of its memory.
	Memory function.MemoryMB
	// CPU is the memory whose share of CPU it gets. It is Memory, unless the
	// owner's goal is speed: then it stays what the owner asked for.
	CPU function.MemoryMB
}

// Outcome is how an execution ended.
type Outcome uint8

// The outcomes.
const (
	Success Outcome = iota
	// FunctionError is the function's own error: it says nothing about amounts.
	FunctionError
	TimedOut
	// OutOfMemory is an execution that the kernel killed at its limit.
	OutOfMemory
)

// Execution is what one execution was given and what it really used.
type Execution struct {
	At time.Time
	// Amount is what it began with. Grown is the memory it ended with:
	// Amount.Memory, unless it was grown in place; 0 stands for that too.
	Amount Amount
	Grown  function.MemoryMB
	// Peak is the most memory it used, in bytes: what the kernel could not have
	// taken back (anonymous and kernel memory), without the page cache. For an
	// execution that was killed it may be 0: it was at its limit.
	Peak int64
	// Nth tells how many executions its environment had, with this one; 0 where
	// that is not known. By it a leak is told from other growth.
	Nth int
	// CPU is the time on a processor, Throttled the time that it wanted one and
	// its share was used up, Duration the wall clock's, Init that of a cold
	// start's initialisation.
	CPU, Throttled, Duration, Init time.Duration
	// Bytes from and to disk and network.
	Read, Written, Received, Sent int64
	Pids                          int
	Outcome                       Outcome
	// Override is true when the request brought an amount of its own: no
	// evidence for the function's.
	Override bool
	// Probe is what [Sizing.Amount] said.
	Probe bool
}

// limit is the memory that the execution could have used in the end.
func (e *Execution) limit() function.MemoryMB { return max(e.Grown, e.Amount.Memory) }
