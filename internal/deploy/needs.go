package deploy

import (
	"math"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/worker"
)

// share is a revision and its part, 0 to 1, of some requests.
type share struct {
	revision *function.Revision
	part     float64
}

// partOf is the revision's part, 0 when it is not among the shares.
func partOf(shares []share, rev *function.Revision) float64 {
	for _, s := range shares {
		if s.revision.ID == rev.ID {
			return s.part
		}
	}
	return 0
}

// need is how many environments a revision must have before requests go to
// it, and how many it is to have soon after.
type need struct {
	revision      *function.Revision
	before, after int
	busy          int    // how many are expected to be at work at the same time
	beside        string // the revision whose environments show where there is room
}

// of is the need for n environments.
func (n *need) of(environments int) worker.Ahead {
	return worker.Ahead{Environments: environments, Busy: n.busy, Beside: n.beside}
}

// needsOf says what must be there for requests to go from one distribution to
// another without a cold start. What takes half already of what it is to take,
// and what served until a moment ago, is waited for no longer than for one
// environment: a rollback is immediate.
func needsOf(from, to []share, load func(revisionID string) worker.Load) []need {
	busy, there, beside := 0, 0, ""
	for _, f := range from {
		l := load(f.revision.ID)
		busy += l.Busy
		there += l.Environments
		if beside == "" && l.Environments > 0 {
			beside = f.revision.ID
		}
	}
	if there == 0 {
		return nil
	}
	var out []need
	for _, t := range to {
		l := load(t.revision.ID)
		before := partOf(from, t.revision)
		expected := float64(busy) * t.part
		if before == 0 {
			expected += float64(l.Busy) // who asks for it by number goes on doing so
		}
		n := need{revision: t.revision, busy: int(math.Ceil(expected)), beside: beside, after: min(headroom(expected), there+l.Environments)}
		n.before = n.after
		if l.Environments > 0 && (l.Leaving || before >= t.part/2) {
			n.before = 1
		}
		out = append(out, n)
	}
	return out
}

// headroom is how many environments are enough, nearly always, where busy of
// them are at work at the busiest: three standard deviations more, requests
// being independent of each other (Erlang's square-root rule). At least one.
func headroom(busy float64) int {
	return max(1, int(math.Ceil(busy+3*math.Sqrt(busy))))
}

// environments is how many the shares have together.
func (m *Manager) environments(shares []share) int {
	n := 0
	for _, s := range shares {
		n += m.rooms.Workers.Load(s.revision.ID).Environments
	}
	return n
}
