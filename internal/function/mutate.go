package function

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/state"
)

// errUnchanged is returned by an edit that leaves the function as it is.
var errUnchanged = errors.New("unchanged")

// draft is the next record of a function in the making, with the bodies that
// must be written before it and those that are of no use after it.
type draft struct {
	*record
	view  *View // what it follows
	added map[string]*body
	gone  []versionRef
	// newCode is how many bytes of code the function will hold more than before.
	newCode int64
}

// mutate replaces the record of a function by what edit makes of it, again
// from the start when somebody else was faster, and returns the new view once
// this node shows it. An edit that returns errUnchanged ends the mutation
// with the present view.
func (c *Catalog) mutate(ctx context.Context, key Key, edit func(*draft) error) (*View, error) {
	for {
		view, err := c.Get(key)
		if err != nil {
			return nil, err
		}
		d := &draft{record: view.record(), view: view}
		switch err := edit(d); {
		case errors.Is(err, errUnchanged):
			return view, nil
		case err != nil:
			return nil, err
		}
		next, err := c.commit(ctx, key, d, func(value []byte) (uint64, error) {
			return c.bucket.Update(ctx, recordKey(key), value, view.stored)
		})
		if !errors.Is(err, state.ErrConflict) && !errors.Is(err, state.ErrNotFound) {
			return next, err
		}
		// The change that came first is on its way here.
		if err := c.until(ctx, func() bool { return c.table.get(key) != view }); err != nil {
			return nil, err
		}
	}
}

// commit stores a draft and returns its view once this node shows it. The
// order of the writes, bodies first, then the record by put, then the removal
// of what is of no use any more, is what makes a crash at any point harmless.
func (c *Catalog) commit(ctx context.Context, key Key, d *draft, put func([]byte) (uint64, error)) (*View, error) {
	if d.newCode > 0 {
		release, err := c.promise(key.Account, d.newCode)
		if err != nil {
			return nil, err
		}
		defer release()
	}
	d.Change = d.change(ctx, c.opts.Now())
	value, err := d.encode(c.opts.Seal)
	if err != nil {
		return nil, fmt.Errorf("function: encode: %w", err)
	}
	written := make(map[string]uint64, len(d.added))
	for name, b := range d.added {
		v, err := b.encode(c.opts.Seal, d.ID)
		if err != nil {
			return nil, fmt.Errorf("function: encode: %w", err)
		}
		if written[name], err = c.bucket.Create(ctx, name, v); err != nil {
			return nil, err
		}
	}
	stored, err := put(value)
	if err != nil {
		if errors.Is(err, state.ErrConflict) || errors.Is(err, state.ErrExists) || errors.Is(err, state.ErrNotFound) {
			for name, rev := range written {
				c.discard(ctx, name, rev)
			}
		}
		return nil, err
	}
	c.dropBodies(ctx, d.ID, d.gone)
	return c.shown(ctx, key, d, stored)
}

// dropBodies removes the bodies of versions that no record names any more.
// What can't be removed now is removed by a later Open.
func (c *Catalog) dropBodies(ctx context.Context, functionID string, refs []versionRef) {
	for _, ref := range refs {
		name := bodyKey(functionID, ref)
		if e, err := c.bucket.Get(ctx, name); err == nil {
			c.discard(ctx, name, e.Revision)
		}
	}
}

func (c *Catalog) discard(ctx context.Context, name string, rev uint64) {
	if err := c.bucket.Delete(ctx, name, rev); err != nil {
		c.opts.Log.Warn("a version's body is left behind; the next start removes it", "key", name, "err", err)
	}
}

// shown waits until this node's views reflect revision stored, and returns the
// view of the draft that was written as it.
func (c *Catalog) shown(ctx context.Context, key Key, d *draft, stored uint64) (*View, error) {
	if err := c.until(ctx, func() bool { return c.applied >= stored }); err != nil {
		return nil, fmt.Errorf("the change to %s was stored, but is not shown yet: %w", key.Name, err)
	}
	if v := c.table.get(key); v != nil && v.stored == stored {
		return v, nil
	}
	// It was overtaken already; what was asked for is the answer all the same.
	reserved := NoReservation
	if d.view != nil {
		reserved = d.view.Reserved
	}
	arn := c.ARN(key)
	return viewOf(key, arn, d.record, stored, reserved, func(ref versionRef) *Version {
		if b := d.added[bodyKey(d.ID, ref)]; b != nil {
			return b.version(key, d.ID, arn, ref)
		}
		if d.view != nil {
			for _, ver := range d.view.Versions {
				if ver.Number == ref.Number {
					return ver.with(ref.Status)
				}
			}
		}
		return nil
	}), nil
}

// promise sets code storage aside for a mutation under way, so that mutations
// side by side can't exceed the quota together. The promise is given back when
// the views count the code, or the mutation failed.
func (c *Catalog) promise(acct account.ID, size int64) (release func(), err error) {
	limit := c.opts.Quota(acct).CodeStorageBytes
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tenant(acct)
	if t.codeSize+t.promised+size > limit {
		return nil, fail(CodeStorageExceeded, "Code storage limit exceeded.")
	}
	t.promised += size
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		t.promised -= size
	}, nil
}

// touch gives the record a new RevisionId, and a new LastModified.
func (d *draft) touch(now time.Time) {
	d.RevisionID = uuid.NewString()
	d.Modified = now.UnixMilli()
}

// expect checks an optional RevisionId precondition.
func expect(want, have string) error {
	if want != "" && want != have {
		return errRevision()
	}
	return nil
}

// codeSize is what the function counts for in the account's code storage.
func (v *View) codeSize() int64 {
	n := v.Wanted.CodeSize
	for _, ver := range v.Versions {
		n += ver.CodeSize
	}
	return n
}
