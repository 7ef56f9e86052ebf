package pool

import "sync/atomic"

// Budget is the memory that a node gives to environments, in MiB. What is
// reserved never exceeds it, the node's memory times the overcommit ratio,
// except for a while by what deployments overlap.
type Budget struct {
	limit    int64
	reserved atomic.Int64
}

// NewBudget returns a budget of limitMB MiB.
func NewBudget(limitMB int) *Budget { return &Budget{limit: int64(limitMB)} }

// Reserve takes mb MiB, or nothing and returns false.
func (b *Budget) Reserve(mb int) bool { return b.ReserveWithin(mb, 1) }

// ReserveWithin is Reserve with so many times the budget for a limit.
func (b *Budget) ReserveWithin(mb int, times float64) bool {
	limit := int64(float64(b.limit) * max(1, times))
	for {
		now := b.reserved.Load()
		if now+int64(mb) > limit {
			return false
		}
		if b.reserved.CompareAndSwap(now, now+int64(mb)) {
			return true
		}
	}
}

// Release gives mb MiB back.
func (b *Budget) Release(mb int) { b.reserved.Add(-int64(mb)) }

// Limit is the whole budget in MiB.
func (b *Budget) Limit() int { return int(b.limit) }

// Reserved is what is taken at the moment, in MiB.
func (b *Budget) Reserved() int { return int(b.reserved.Load()) }
