package worker

import (
	"testing"
	"time"
)

// Requests that wait for each other all the time get more environments, one
// after the other, although each is served within its patience. Those that
// queue by chance, while environments rest in between, do not.
func TestSetGrowsWhereRequestsAlwaysWait(t *testing.T) {
	const invocation, looks = time.Millisecond, 10 * time.Millisecond
	for _, c := range []struct {
		name   string
		rest   time.Duration // after every invocation
		enough bool          // there are as many environments as can be at work
		grows  bool
	}{
		{"always", 0, false, true},
		{"by chance", invocation, false, false},
		{"there are enough", 0, true, false},
	} {
		s := &set{all: map[*Environment]struct{}{}}
		s.pace.took(invocation)
		s.pace.cost(work{cpu: invocation, processors: 2})
		s.expect()
		e, now := &Environment{set: s}, time.Now()
		s.arrived(e, now)
		if c.enough {
			for range s.pace.enough() {
				s.all[&Environment{set: s}] = struct{}{}
			}
		}
		for range 4 {
			s.take(Amount{}, false) // the first gets it
		}
		for look := range congestedFor + 2*stillCongested + 1 {
			if grows, want := s.grow(now), c.grows && look >= congestedFor && (look-congestedFor)%stillCongested == 0; grows != want {
				t.Errorf("%s: look %d: grows %t", c.name, look, grows)
			}
			for end := now.Add(looks); now.Before(end); now = now.Add(c.rest) {
				e.taken, now = now, now.Add(invocation)
				s.settle(invocation)
				s.settled(e, now)
				s.take(Amount{}, false) // whoever was served comes again
			}
		}
	}
}
