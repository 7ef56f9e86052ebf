package worker

import "time"

// congestedFor is how many times more in turn tend has to find requests waiting
// to boot one more environment for them, if those that there are were held for
// them for congestedShare of that time: a few that queue by chance don't need
// one, nor do those that queue while the machine does something else for a
// moment. That boot would occupy it, too, and more would queue. Where they go on
// queueing, the next follows after stillCongested times.
const (
	congestedFor   = 10
	stillCongested = 3
	congestedShare = .8
)

// congestion is for how long requests have been waiting whenever tend looked.
type congestion struct {
	looks int // one more than in turn; 0 while none wait
	since time.Time
	held  time.Duration // how long environments were held for invocations since then, together
}

// grow tells, whenever tend looks, whether one more environment is to be booted,
// since requests were waiting at every look of late and the environments had
// something to do nearly all the time. Each request may have been served within
// its patience, and still they wait for each other all the time.
func (s *set) grow(now time.Time) (boot bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, busy := &s.congestion, len(s.all)-len(s.idle)
	if len(s.waiting) == 0 || busy >= s.pace.enough() {
		*c = congestion{}
		return false
	}
	if c.looks++; c.looks == 1 {
		c.since = now
	}
	if c.looks <= congestedFor {
		return false
	}
	full := c.held.Seconds() >= congestedShare*now.Sub(c.since).Seconds()*float64(busy)
	*c = congestion{since: now, looks: 1}
	if full {
		c.looks += congestedFor - stillCongested
	}
	return full && s.lacksLocked()
}
