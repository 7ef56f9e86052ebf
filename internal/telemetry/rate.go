package telemetry

import "time"

// Each stream keeps this much of what its function prints.
const (
	LineRate  = 1 << 20 // bytes a second
	LineBurst = 4 << 20 // bytes at once
	// lineCost is charged for a line besides its bytes, so that empty lines
	// are not free.
	lineCost = 16
)

// allowance is a token bucket with hysteresis: once it is empty it gives
// nothing before a quarter of LineBurst is there again, so that a function that
// prints without end leaves long runs of lines and few notices instead of every
// other line.
type allowance struct {
	spent  int64     // bytes, of LineBurst
	at     time.Time // when spent was right; zero means that nothing was ever spent
	closed bool
}

// take pays for a line of n bytes at the time now.
func (a *allowance) take(n int, now time.Time) bool {
	if passed := now.Sub(a.at); passed > 0 {
		if passed >= LineBurst/LineRate*time.Second {
			a.spent = 0
		} else {
			a.spent = max(0, a.spent-int64(passed)*LineRate/int64(time.Second))
		}
		a.at = now
	}
	if a.closed && a.spent > LineBurst-LineBurst/4 {
		return false
	}
	cost := int64(n + lineCost)
	a.closed = a.spent+cost > LineBurst
	if a.closed {
		return false
	}
	a.spent += cost
	return true
}
