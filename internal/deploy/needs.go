package deploy

import (
	"math"
	"time"

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
	busy, there, beside, held := 0, 0, "", time.Duration(0)
	for _, f := range from {
		l := load(f.revision.ID)
		busy += l.Busy
		there += l.Environments
		held = max(held, l.Held)
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
		n := need{revision: t.revision, busy: int(math.Ceil(expected)), beside: beside, after: min(headroom(expected, held), there+l.Environments)}
		n.before = n.after
		if l.Environments > 0 && (l.Leaving || before >= t.part/2) {
			n.before = 1
		}
		out = append(out, n)
	}
	return out
}

// seldom is which part of the requests may find, at the busiest, that their turn
// does not come in time.
const seldom = .01

// headroom is how many environments are enough where busy of them are at work at
// the busiest and an invocation holds one for that long (0: for ever): all
// requests but few have their turn within [worker.Patience], requests being
// independent of each other (Erlang's formula for those who wait). Of what takes
// long that is some three square roots more than are busy, of what is done in
// less than a millisecond one more. At least one.
func headroom(busy float64, held time.Duration) int {
	times := 0. // how often an environment is given back while a request has patience
	if held > 0 {
		times = worker.Patience.Seconds() / held.Seconds()
	}
	lost := 1. // the part of the requests that would find all n at work, if nobody waited
	for n := 1.; ; n++ {
		lost = busy * lost / (n + busy*lost)
		if n <= busy {
			continue
		}
		waiting := lost / (1 - busy/n*(1-lost))
		if waiting*math.Exp(-(n-busy)*times) <= seldom {
			return int(n)
		}
	}
}

// environments is how many the shares have together.
func (m *Manager) environments(shares []share) int {
	n := 0
	for _, s := range shares {
		n += m.rooms.Workers.Load(s.revision.ID).Environments
	}
	return n
}
