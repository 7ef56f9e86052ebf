package deploy

import (
	"context"
	"maps"
	"slices"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/worker"
)

// Allocation is how far the provisioned concurrency of a version or an alias is
// on this node.
type Allocation struct {
	// Allocated is how many environments there are for it, at most what was
	// asked for; Available is how many of them are of what answers now, and not
	// of what an alias is still moving to.
	Allocated, Available int
	// Failure says why the last environment did not start; "" when it did.
	Failure string
}

// Allocation tells about the provisioned concurrency of qualifier.
func (m *Manager) Allocation(view *function.View, qualifier string) Allocation {
	p := view.Provisioned[qualifier]
	to, now := routesOf(view, qualifier)
	var a Allocation
	a.Allocated, a.Failure = m.allocated(view, p.Kept(to))
	a.Available, _ = m.allocated(view, p.Kept(now))
	a.Allocated, a.Available = min(a.Allocated, p.N), min(a.Available, p.N)
	if a.Allocated >= p.N {
		a.Failure = ""
	}
	return a
}

// allocated counts environments, at most so many of each version as are to be
// kept.
func (m *Manager) allocated(view *function.View, kept map[string]int) (n int, failure string) {
	for version, want := range kept {
		rev, err := view.Revision(version)
		if err != nil {
			continue // an alias points at nothing that isn't there
		}
		p := m.rooms.Workers.Provisioned(rev.ID)
		n += min(want, p.Alive)
		if p.Alive < want && p.Failure != "" {
			failure = p.Failure
		}
	}
	return n, failure
}

// routesOf is where a qualifier leads, and what answers for it now.
func routesOf(view *function.View, qualifier string) (to, now function.Route) {
	if a := view.Aliases[qualifier]; a != nil {
		return a.Route, a.Serving()
	}
	r := function.Route{Version: qualifier}
	return r, r
}

// keep tells the worker manager which environments a function's provisioned
// concurrency comes to. An alias that moves has them on both sides, so that it
// moves to environments that are there.
func (m *Manager) keep(key function.Key, view *function.View) {
	kept := map[string]int{}
	if view != nil {
		for qualifier, p := range view.Provisioned {
			to, now := routesOf(view, qualifier)
			both := p.Kept(to)
			for version, n := range p.Kept(now) {
				both[version] = max(both[version], n)
			}
			for version, n := range both {
				kept[version] += n
			}
		}
	}
	var list []worker.Kept
	for _, version := range slices.Sorted(maps.Keys(kept)) {
		if rev, err := view.Revision(version); err == nil {
			list = append(list, worker.Kept{Revision: rev, N: kept[version]})
		}
	}
	m.rooms.Workers.Keep(key, list)
}

// awaitKept returns when the environments that an alias with provisioned
// concurrency moves to are there, it is known why they are not, or the alias no
// longer moves as it did with this RevisionID. The error is the context's.
func (m *Manager) awaitKept(ctx context.Context, key function.Key, alias, revisionID string) error {
	for {
		changed, booted := m.news.of(key), m.rooms.Workers.ProvisionNews()
		view, ok := m.rooms.Catalog.Lookup(key)
		if !ok {
			return nil
		}
		a := view.Aliases[alias]
		if a == nil || a.Moving == nil || a.RevisionID != revisionID {
			return nil
		}
		kept, need := view.Provisioned[alias].Kept(a.Route), 0
		for _, n := range kept {
			need += n
		}
		if have, failure := m.allocated(view, kept); have >= need || failure != "" {
			return nil
		}
		select {
		case <-changed:
		case <-booted:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
