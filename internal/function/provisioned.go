package function

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/hearthd/hearth/internal/account"
)

// Provisioned is provisioned concurrency: so many environments of a version, or
// of what an alias points at, are kept ready whether they are used or not.
type Provisioned struct {
	N int
	// Modified is when it was set.
	Modified time.Time
}

// provision is Provisioned as stored.
type provision struct {
	N        int   `json:"n"`
	Modified int64 `json:"modified"` // Unix milliseconds
}

const notProvisionedYet = "The function resource provided must be an alias or a published version."

// ProvisionedOn returns the provisioned concurrency of a version or an alias;
// false when it has none. The error is an [*Error].
func (v *View) ProvisionedOn(qualifier string) (Provisioned, bool, error) {
	if qualifier == "" || qualifier == Latest {
		return Provisioned{}, false, fail(InvalidParameter, notProvisionedYet)
	}
	if _, err := v.Describe(qualifier); err != nil {
		return Provisioned{}, false, err
	}
	p, ok := v.Provisioned[qualifier]
	return p, ok, nil
}

// Guaranteed is the sum of the function's provisioned concurrency.
func (v *View) Guaranteed() int {
	n := 0
	for _, p := range v.Provisioned {
		n += p.N
	}
	return n
}

// Kept is how many environments of each version, by its number, the provisioned
// concurrency of a qualifier comes to on a route: where an alias sends a part of
// the requests to a second version, both get theirs, rounded up.
func (p Provisioned) Kept(r Route) map[string]int {
	kept := map[string]int{}
	for version, share := range r.Shares() {
		// One in a billion is what floating point may add to a whole number.
		if n := int(math.Ceil(float64(p.N)*share - 1e-9)); n > 0 {
			kept[version] = n
		}
	}
	return kept
}

// SetProvisioned gives a version or an alias n provisioned concurrency.
func (c *Catalog) SetProvisioned(ctx context.Context, key Key, qualifier string, n int) (*View, error) {
	if n < 1 {
		return nil, fail(InvalidParameter, "ProvisionedConcurrentExecutions must be at least 1.")
	}
	c.sharing.Lock()
	defer c.sharing.Unlock()
	return c.mutate(ctx, key, func(d *draft) error {
		if qualifier == "" || qualifier == Latest {
			return fail(InvalidParameter, "Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
		}
		if _, err := d.view.Describe(qualifier); err != nil {
			return err
		}
		if err := d.mayProvision(qualifier); err != nil {
			return err
		}
		if err := c.afford(d.view, d.view.Guaranteed()-d.view.Provisioned[qualifier].N+n); err != nil {
			return err
		}
		d.Provisioned[qualifier] = provision{N: n, Modified: c.opts.Now().UnixMilli()}
		return nil
	})
}

// DeleteProvisioned takes the provisioned concurrency of a version or an alias
// away; one that has none is no error, as in Lambda.
func (c *Catalog) DeleteProvisioned(ctx context.Context, key Key, qualifier string) (*View, error) {
	return c.mutate(ctx, key, func(d *draft) error {
		_, has, err := d.view.ProvisionedOn(qualifier)
		switch {
		case err != nil:
			return err
		case !has:
			return errUnchanged
		}
		delete(d.Provisioned, qualifier)
		return nil
	})
}

// mayProvision checks that an alias and a version it points at would not both
// have provisioned concurrency.
func (d *draft) mayProvision(qualifier string) error {
	if a := d.Aliases[qualifier]; a != nil {
		if a.Additional != "" {
			return fail(InvalidParameter, "Alias with weights can not be used with Provisioned Concurrency")
		}
		return d.mayShareProvision(a)
	}
	for _, name := range d.view.AliasNames() {
		a := d.Aliases[name]
		if _, has := d.Provisioned[name]; has && (a.Version == qualifier || a.Additional == qualifier) {
			return fail(Conflict, "Version is pointed by a Provisioned Concurrency alias")
		}
	}
	return nil
}

// mayShareProvision checks what an alias with provisioned concurrency points at.
func (d *draft) mayShareProvision(a *Alias) error {
	for _, version := range []string{a.Version, a.Additional} {
		if _, has := d.Provisioned[version]; has {
			return fail(Conflict, "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")
		}
	}
	if a.Version == Latest {
		return fail(InvalidParameter, "Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
	}
	return nil
}

// afford checks that the function may have so much provisioned concurrency: of
// what it reserved or, without that, of what the account's functions share.
func (c *Catalog) afford(view *View, total int) error {
	if view.Reserved != NoReservation {
		if total > view.Reserved {
			return fail(InvalidParameter, "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function")
		}
		return nil
	}
	c.mu.RLock()
	free := c.opts.Quota(view.Account).Concurrency - c.heldLocked(view.Account, view.Name)
	c.mu.RUnlock()
	switch {
	case total > free:
		return fail(InvalidParameter, "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [%d].", free)
	case free-total < c.opts.MinUnreserved:
		return fail(InvalidParameter, "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [%d].", c.opts.MinUnreserved)
	}
	return nil
}

// heldLocked is what the functions of an account have of its concurrency for
// themselves, reserved or provisioned, leaving out the one called except. c.mu
// is held.
func (c *Catalog) heldLocked(acct account.ID, except string) int {
	t := c.tenants[acct]
	if t == nil {
		return 0
	}
	return c.reservedLocked(acct, t, except) + c.provisionedLocked(acct, t, except)
}

// provisionedLocked sums the provisioned concurrency of an account's functions
// that reserve nothing, leaving out the one called except. c.mu is held.
func (c *Catalog) provisionedLocked(acct account.ID, t *tenant, except string) int {
	sum := 0
	for name := range t.provisioned {
		if v := c.table.get(Key{Account: acct, Name: name}); name != except && v != nil && v.Reserved == NoReservation {
			sum += v.Guaranteed()
		}
	}
	return sum
}

// count keeps account of which of the tenant's functions have provisioned
// concurrency. The catalog's mu is held.
func (t *tenant) count(name string, view *View) {
	if view == nil || len(view.Provisioned) == 0 {
		delete(t.provisioned, name)
		return
	}
	if t.provisioned == nil {
		t.provisioned = map[string]struct{}{}
	}
	t.provisioned[name] = struct{}{}
}

// ProvisionedQualifiers lists what has provisioned concurrency, in alphabetical
// order.
func (v *View) ProvisionedQualifiers() []string { return slices.Sorted(maps.Keys(v.Provisioned)) }
