package rollout

import (
	"fmt"

	"github.com/hearthd/hearth/internal/function"
)

// routing is where an alias sends requests.
type routing struct {
	version, additional string
	weight              float64 // of additional
}

func routingOf(a function.Route) routing {
	r := routing{a.Version, a.Additional, a.Weight}
	if r.weight == 0 {
		r.additional = "" // it gets nothing
	}
	return r
}

func (r routing) String() string {
	if r.additional == "" {
		return "version " + r.version
	}
	return fmt.Sprintf("version %s, with %s%% to version %s", r.version, percent(r.weight*100), r.additional)
}

// change is what makes an alias that has the revision point there.
func (r routing) change(revisionID string) function.AliasChange {
	c := function.AliasChange{Version: &r.version, Weights: map[string]float64{}, RevisionID: revisionID}
	if r.additional != "" {
		c.Weights[r.additional] = r.weight
	}
	return c
}

// during is the routing of a step.
func (r *record) during(step int) routing {
	switch p := r.Steps[step].Percent; p {
	case 0:
		return routing{version: r.From}
	case 100:
		return routing{version: r.To}
	default:
		return routing{r.From, r.To, p / 100}
	}
}

// wanted is where the alias shall point in the present state.
func (r *record) wanted() routing {
	switch r.State {
	case Pending, PreHook, RollingBack:
		return routing{version: r.From}
	}
	return r.during(r.Step)
}

// expects tells whether it is this roll-out that left the alias like that. It
// may have been about to change it when it was killed: then the alias is either
// as before or as it was to be.
func (r *record) expects(at routing) bool {
	if at == r.wanted() {
		return true
	}
	before := func() bool {
		if r.Step == 0 {
			return at == routing{version: r.From}
		}
		return at == r.during(r.Step-1)
	}
	switch r.State {
	case Stepping, Paused:
		return !r.Applied && before()
	case RollingBack:
		return at == r.during(r.Step) || !r.Applied && before()
	}
	return false
}
