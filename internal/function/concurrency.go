package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/state"
)

// ledger is an account's reserved concurrency by function name.
type ledger struct {
	Reserved map[string]reservation `json:"reserved"`
	// Change is what made this ledger of the one before; see history.go.
	Change *ledgerChange `json:"change,omitempty"`
}

// reservation names the function by id too: a ledger outlives functions.
type reservation struct {
	FunctionID string `json:"id"`
	N          int    `json:"n"`
}

func (l ledger) of(name, functionID string) int {
	if r, ok := l.Reserved[name]; ok && r.FunctionID == functionID {
		return r.N
	}
	return NoReservation
}

// SetReserved reserves n of the account's concurrency for a function, which
// may then use no more and be denied no less.
func (c *Catalog) SetReserved(ctx context.Context, key Key, n int) (*View, error) {
	if n < 0 {
		return nil, fail(InvalidParameter, "ReservedConcurrentExecutions must not be negative.")
	}
	c.sharing.Lock()
	defer c.sharing.Unlock()
	return c.setReservation(ctx, key, func(others int, _ bool) (int, error) {
		if view, ok := c.Lookup(key); ok && n < view.Guaranteed() {
			return 0, fail(InvalidParameter, "Specified ReservedConcurrentExecutions for function is below its provisioned concurrency of [%d].", view.Guaranteed())
		}
		if c.opts.Quota(key.Account).Concurrency-others-n < c.opts.MinUnreserved {
			return 0, fail(InvalidParameter, "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [%d].", c.opts.MinUnreserved)
		}
		return n, nil
	})
}

// ClearReserved gives up a function's reserved concurrency; none is no error.
func (c *Catalog) ClearReserved(ctx context.Context, key Key) (*View, error) {
	return c.setReservation(ctx, key, func(_ int, has bool) (int, error) {
		if !has {
			return 0, errUnchanged
		}
		return NoReservation, nil
	})
}

// setReservation writes the account's ledger with what next says, given what
// the account's other functions hold and whether this one reserves anything.
func (c *Catalog) setReservation(ctx context.Context, key Key, next func(others int, has bool) (int, error)) (*View, error) {
	for {
		view, err := c.Get(key)
		if err != nil {
			return nil, err
		}
		c.mu.RLock()
		t := c.tenants[key.Account]
		seen, before := t.ledgerRev, t.ledger
		others := c.heldLocked(key.Account, key.Name)
		l := ledger{Reserved: make(map[string]reservation, len(t.ledger.Reserved)+1)}
		maps.Copy(l.Reserved, t.ledger.Reserved)
		// The views reflect everything up to the ledger's revision, so that a
		// reservation of a function they don't know is of one that is gone.
		maps.DeleteFunc(l.Reserved, func(name string, r reservation) bool {
			v := c.table.get(Key{Account: key.Account, Name: name})
			return v == nil || v.FunctionID != r.FunctionID
		})
		c.mu.RUnlock()

		_, has := l.Reserved[key.Name]
		switch n, err := next(others, has); {
		case errors.Is(err, errUnchanged):
			return view, nil
		case err != nil:
			return nil, err
		case n == NoReservation:
			delete(l.Reserved, key.Name)
		default:
			l.Reserved[key.Name] = reservation{FunctionID: view.FunctionID, N: n}
		}
		l.Change = &ledgerChange{FunctionID: view.FunctionID, Change: changeBy(ctx, c.opts.Now())}
		differ(&l.Change.Items, "reserved", reservedOf(before, view), reservedOf(l, view))
		stored, err := c.writeLedger(ctx, key.Account, l, seen)
		switch {
		case errors.Is(err, state.ErrConflict), errors.Is(err, state.ErrExists), errors.Is(err, state.ErrNotFound):
			if err := c.until(ctx, func() bool { return t.ledgerRev != seen }); err != nil {
				return nil, err
			}
			continue
		case err != nil:
			return nil, err
		}
		if err := c.until(ctx, func() bool { return c.applied >= stored }); err != nil {
			return nil, err
		}
		return c.Get(key)
	}
}

func reservedOf(l ledger, v *View) string {
	if n := l.of(v.Name, v.FunctionID); n != NoReservation {
		return strconv.Itoa(n)
	}
	return ""
}

func (c *Catalog) writeLedger(ctx context.Context, acct account.ID, l ledger, seen uint64) (uint64, error) {
	value, err := json.Marshal(l)
	if err != nil {
		return 0, fmt.Errorf("function: encode: %w", err)
	}
	if seen == 0 {
		return c.bucket.Create(ctx, ledgerPrefix+string(acct), value)
	}
	return c.bucket.Update(ctx, ledgerPrefix+string(acct), value, seen)
}

// reservedLocked sums what the functions of an account reserve, leaving out
// the one called except. c.mu is held.
func (c *Catalog) reservedLocked(acct account.ID, t *tenant, except string) int {
	sum := 0
	for name, r := range t.ledger.Reserved {
		if name == except {
			continue
		}
		if v := c.table.get(Key{Account: acct, Name: name}); v != nil && v.FunctionID == r.FunctionID {
			sum += r.N
		}
	}
	return sum
}
