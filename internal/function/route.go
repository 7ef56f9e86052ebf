package function

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Route is which versions answer for an alias.
type Route struct {
	Version string `json:"version"`
	// Weight is the share, 0 to 1, of requests that go to Additional.
	Additional string  `json:"additional,omitempty"`
	Weight     float64 `json:"weight,omitempty"`
}

// Pick is the version for a request that drew u, a number in [0, 1).
func (r Route) Pick(u float64) string {
	if r.Additional != "" && u < r.Weight {
		return r.Additional
	}
	return r.Version
}

// Shares is each version's share of the requests.
func (r Route) Shares() map[string]float64 {
	if r.Additional == "" {
		return map[string]float64{r.Version: 1}
	}
	return map[string]float64{r.Version: 1 - r.Weight, r.Additional: r.Weight}
}

// leads tells whether the route names the version.
func (r Route) leads(version string) bool { return r.Version == version || r.Additional == version }

// Move is an alias on its way to another route: From answers until
// environments for the new one are there.
type Move struct {
	From Route `json:"from"`
	// Since is when the alias was told to move, in Unix milliseconds; the
	// first time when it was told again on its way.
	Since int64 `json:"since"`
	// Previous is what the alias's Previous was before.
	Previous string `json:"previous,omitempty"`
}

// Refusal says why an alias was not moved.
type Refusal struct {
	// RevisionID is the alias's while it was to move.
	RevisionID string `json:"revisionId"`
	Route      Route  `json:"route"`
	Reason     string `json:"reason"`
}

// Serving is the route that answers now: Route, or what the alias moves from.
func (a *Alias) Serving() Route {
	if a.Moving != nil {
		return a.Moving.From
	}
	return a.Route
}

// move makes what the alias served before serve on beside the coming change.
// A change back to what serves is no move.
func (a *Alias) move(old *Alias, now time.Time) {
	if a.Route == old.Route {
		return
	}
	move := Move{From: old.Route, Since: now.UnixMilli(), Previous: old.Previous}
	if old.Moving != nil {
		move = *old.Moving
	}
	a.Moving = &move
	if a.Route == move.From {
		a.Moving = nil
	}
}

// CompleteMove says that a node is ready to serve what the alias moves to.
// Nothing changes, and the present view is returned, when the alias has
// another RevisionID by now or does not move.
func (c *Catalog) CompleteMove(ctx context.Context, key Key, alias, revisionID string) (*View, error) {
	return c.endMove(ctx, "CompleteMove", key, alias, revisionID, func(a *Alias) { a.Moving = nil })
}

// FailMove says that what the alias moves to does not work: it stays where it
// was, and keeps the reason until it is changed again. Nothing changes when
// the alias has another RevisionID by now or does not move.
func (c *Catalog) FailMove(ctx context.Context, key Key, alias, revisionID, reason string) (*View, error) {
	return c.endMove(ctx, "FailMove", key, alias, revisionID, func(a *Alias) {
		a.Refused = &Refusal{RevisionID: revisionID, Route: a.Route, Reason: reason}
		a.Route, a.Previous, a.Moving = a.Moving.From, a.Moving.Previous, nil
		a.RevisionID = uuid.NewString()
	})
}

func (c *Catalog) endMove(ctx context.Context, operation string, key Key, alias, revisionID string, end func(*Alias)) (*View, error) {
	return c.mutate(named(ctx, operation), key, func(d *draft) error {
		old := d.Aliases[alias]
		if old == nil || old.Moving == nil || old.RevisionID != revisionID {
			return errUnchanged
		}
		a := *old
		end(&a)
		d.Aliases[alias] = &a
		return nil
	})
}
