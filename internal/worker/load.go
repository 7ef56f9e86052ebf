package worker

import "time"

// loadWindow is how far back Load looks, at least; at most twice as far.
const loadWindow = 5 * time.Second

// Load is what the environments of a revision had to do lately.
type Load struct {
	// Environments is how many there are.
	Environments int
	// Busy is how many were at work or waited for, on average, when requests
	// came in the last seconds. It is no maximum: a moment at which the machine
	// stood still would count, and have many made that nobody needs.
	Busy int
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
	return Load{Environments: len(s.all), Busy: s.busy.expected(), Leaving: !s.left.IsZero()}
}

// busyness is the mean of some numbers noted in the last seconds. It needs no
// clock to note one, which the warm path does. The zero value has seen none.
type busyness struct {
	now, before numbers // in this window and the last
	present     int     // when this window began
	turned      time.Time
}

type numbers struct{ sum, count int }

func (b *busyness) note(n int) {
	b.now.sum += n
	b.now.count++
}

// turn begins a new window, in which n is the present number, when it is time.
func (b *busyness) turn(now time.Time, n int) {
	if now.Sub(b.turned) < loadWindow {
		return
	}
	b.before, b.now, b.present, b.turned = b.now, numbers{}, n, now
}

// expected is the mean, and at least what was at work when this window began:
// requests may be few and long.
func (b *busyness) expected() int {
	count := b.now.count + b.before.count
	if count == 0 {
		return b.present
	}
	sum := b.now.sum + b.before.sum
	return max(b.present, (sum+count-1)/count)
}
