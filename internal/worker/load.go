package worker

import "time"

// loadWindow is how far back Load looks, at least; at most twice as far.
const loadWindow = 5 * time.Second

// Load is what the environments of a revision had to do lately.
type Load struct {
	// Environments is how many there are.
	Environments int
	// Busy is how many keep up with what there was to do in the last seconds: as
	// many as were at work, or waited for, at the busiest moment, and fewer where
	// invocations are so quick that they can take turns.
	Busy int
	// Held is for how long an invocation held an environment on average; 0 where
	// that is not known.
	Held time.Duration
	// Leaving says that requests no longer go to the revision.
	Leaving bool
}

// Load tells what a revision's environments had to do lately.
func (m *Manager) Load(revisionID string) Load {
	v, ok := m.sets.Load(revisionID)
	if !ok {
		return Load{}
	}
	s := v.(*set)
	s.mu.Lock()
	defer s.mu.Unlock()
	busy := s.pace.keepUp(s.busy.peak(), time.Since(s.busy.turned))
	return Load{Environments: len(s.all), Busy: busy, Held: s.pace.mean(), Leaving: !s.left.IsZero()}
}

// busyness is the highest of some numbers noted in the last seconds. It needs
// no clock to note one, which the warm path does. The zero value has seen none.
type busyness struct {
	now, before int // in this window and the last
	turned      time.Time
}

func (b *busyness) note(n int) { b.now = max(b.now, n) }

// turn begins a new window, in which n is the present number, when it is time.
func (b *busyness) turn(now time.Time, n int) bool {
	if now.Sub(b.turned) < loadWindow {
		return false
	}
	b.before, b.now, b.turned = b.now, n, now
	return true
}

func (b *busyness) peak() int { return max(b.now, b.before) }
