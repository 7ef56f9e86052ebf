package usage

import (
	"time"

	"github.com/hearthd/hearth/internal/function"
)

// Execution is one that has ended.
type Execution struct {
	// Answered is true unless the execution was repeated and another one gave
	// the answer: an invocation counts once.
	Answered bool
	// Failed says that the answer was an error of the function's.
	Failed bool
	// Asked is the owner's MemorySize, Allocated what the execution was given.
	Asked, Allocated function.MemoryMB
	// Billed is the duration, in whole milliseconds.
	Billed time.Duration
}

// Sums are added up over executions. All amounts are over the billed duration,
// so that they can be compared.
type Sums struct {
	Invocations int64 `json:"n"`
	Errors      int64 `json:"e,omitempty"`
	BilledMS    int64 `json:"t"`
	// Asked and Allocated are in MiB times milliseconds, Used in KiB times
	// milliseconds: integers, so that nothing is lost.
	Asked     int64 `json:"a"`
	Allocated int64 `json:"g"`
	Used      int64 `json:"u,omitempty"`
}

func (e *Execution) sums() Sums {
	ms := e.Billed.Milliseconds()
	s := Sums{BilledMS: ms, Asked: int64(e.Asked) * ms, Allocated: int64(e.Allocated) * ms}
	if e.Answered {
		s.Invocations = 1
		if e.Failed {
			s.Errors = 1
		}
	}
	return s
}

// Add adds the sums of others.
func (s *Sums) Add(o Sums) {
	s.Invocations += o.Invocations
	s.Errors += o.Errors
	s.BilledMS += o.BilledMS
	s.Asked += o.Asked
	s.Allocated += o.Allocated
	s.Used += o.Used
}

// AskedGBms is the memory that the owner asked for, in GB times milliseconds.
func (s *Sums) AskedGBms() float64 { return float64(s.Asked) / 1024 }

// AllocatedGBms is the memory that executions were given.
func (s *Sums) AllocatedGBms() float64 { return float64(s.Allocated) / 1024 }

// UsedGBms is the memory that executions used, by their peaks.
func (s *Sums) UsedGBms() float64 { return float64(s.Used) / (1024 * 1024) }

// WastedGBms is what was allocated and not used.
func (s *Sums) WastedGBms() float64 { return s.AllocatedGBms() - s.UsedGBms() }

// SavedGBms is what was asked for and did not have to be allocated. It is
// negative where more was needed than asked for.
func (s *Sums) SavedGBms() float64 { return s.AskedGBms() - s.AllocatedGBms() }
