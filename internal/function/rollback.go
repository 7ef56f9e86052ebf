package function

import (
	"context"

	"github.com/google/uuid"
)

// RollbackInput says what to take back.
type RollbackInput struct {
	// Alias is the alias to point at another version; "" is $LATEST.
	Alias string
	// To is the version to go back to; "" is the one before: for an alias the
	// version it pointed at before, or without its weights the one it points
	// at; for $LATEST what served before the last update.
	To string
}

// Rollback takes a change back, in one write.
//
// An alias moves as by [Catalog.UpdateAlias]. $LATEST gets the code and the
// configuration it had, as by an update: what serves now serves on until the
// deployment manager completes it. Where the last update failed or has not been
// completed, what served before it never stopped serving, and nothing is left
// to wait for: the update is called off.
func (c *Catalog) Rollback(ctx context.Context, key Key, in RollbackInput) (*View, error) {
	if in.Alias != "" {
		return c.rollbackAlias(ctx, key, in)
	}
	return c.mutate(ctx, key, func(d *draft) error {
		target, err := d.before(in.To)
		if err != nil {
			return err
		}
		d.newCode += target.CodeSize - d.Wanted.CodeSize
		d.Wanted = target
		d.touch(c.opts.Now())
		if serving := d.view.Serving; serving != nil && revisionID(d.ID, Latest, target.CodeSHA256, &target.Config) == serving.ID {
			if serving == d.view.Wanted {
				return errUnchanged
			}
			d.settleVersions(&Status{State: Failed, StateReason: "It was taken back before it was ready.", StateReasonCode: "RolledBack"})
			d.Status, d.Serving, d.Since = settled(), nil, 0
			return nil
		}
		return d.beginUpdate("", c.opts.Now())
	})
}

// before is what $LATEST goes back to.
func (d *draft) before(to string) (content, error) {
	v := d.view
	switch {
	case to == Latest:
		return content{}, fail(InvalidParameter, "$LATEST can't go back to itself: name a version, or leave it out for what served before.")
	case to != "":
		ver := v.Versions[to]
		if ver == nil {
			return content{}, errFunctionNotFound(v.QualifiedARN(to))
		}
		return contentOf(&ver.Revision), nil
	case v.Serving != v.Wanted && v.Serving != nil:
		return contentOf(v.Serving), nil
	case v.Previous != nil:
		return contentOf(v.Previous), nil
	}
	return content{}, fail(Conflict, "There is nothing before the present code and configuration of %s to go back to.", v.Name)
}

func (c *Catalog) rollbackAlias(ctx context.Context, key Key, in RollbackInput) (*View, error) {
	view, _, err := c.setAlias(ctx, key, in.Alias, func(d *draft) (*Alias, error) {
		old, err := d.view.Alias(in.Alias)
		if err != nil {
			return nil, err
		}
		a := *old
		a.Refused = nil
		switch {
		case in.To != "":
			a.pointAt(in.To)
		case a.Additional != "":
			// A part of the requests went to another version; all go to the
			// first again.
		case a.Previous == "":
			return nil, fail(Conflict, "Alias %s pointed at no other version before: name the version it should point at.", a.Name)
		case a.Previous != Latest && d.view.Versions[a.Previous] == nil:
			return nil, fail(Conflict, "Version %s, which alias %s pointed at before, was deleted: name the version it should point at.", a.Previous, a.Name)
		default:
			a.pointAt(a.Previous)
		}
		a.RevisionID = uuid.NewString()
		if err := d.weigh(&a, nil); err != nil {
			return nil, err
		}
		a.move(old, c.opts.Now())
		return &a, nil
	})
	return view, err
}
