package worker

import "time"

// congestedFor is how many times more in turn tend has to find requests waiting
// to boot one more environment for them, if those that there are were held for
// them for congestedShare of that time: a few that queue by chance don't need
// one, nor do those that queue while the machine does something else for a
// moment. That boot would occupy it, too, and more would queue.
const (
	congestedFor   = 20
	congestedShare = .8
)

// congestion is for how long requests have been waiting whenever tend looked.
type congestion struct {
	since time.Time // zero while none do
	looks int
	held  time.Duration // how long environments were held for invocations meanwhile, together
}

// grow tells, whenever tend looks, whether one more environment is to be booted,
// since requests were waiting at every look of late and the environments had
// something to do nearly all the time. Each request may have been served within
// its patience, and still they wait for each other all the time.
func (s *set) grow(now time.Time) (boot bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, busy := &s.congestion, len(s.all)-len(s.idle)
	switch {
	case len(s.waiting) == 0 || busy >= s.pace.enough():
		*c = congestion{}
		return false
	case c.since.IsZero():
		*c = congestion{since: now}
		return false
	}
	if c.looks++; c.looks < congestedFor {
		return false
	}
	full := c.held.Seconds() >= congestedShare*now.Sub(c.since).Seconds()*float64(busy)
	*c = congestion{since: now}
	return full && s.lacksLocked()
}
