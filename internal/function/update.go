package function

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// UpdateCodeInput gives $LATEST other code.
type UpdateCodeInput struct {
	Package Package
	// Architectures stay as they are when empty.
	Architectures []string
	// RevisionID is the optional precondition.
	RevisionID string
	// Publish makes a version of the outcome at the same time.
	Publish bool
	// DryRun checks everything and returns what would be, unwritten.
	DryRun bool
}

// UpdateCode replaces the code of $LATEST. What served before serves on until
// [Catalog.CompleteUpdate]. An update that is still under way is overtaken: what
// it wanted never serves.
func (c *Catalog) UpdateCode(ctx context.Context, key Key, in UpdateCodeInput) (*View, error) {
	edit := func(d *draft) error {
		if err := d.beginUpdate(in.RevisionID, c.opts.Now()); err != nil {
			return err
		}
		d.newCode += in.Package.Size - d.Wanted.CodeSize
		d.Wanted.CodeSHA256, d.Wanted.CodeSize = in.Package.SHA256, in.Package.Size
		if len(in.Architectures) > 0 {
			d.Wanted.Config.Architectures = in.Architectures
		}
		now := c.opts.Now()
		d.touch(now)
		if in.Publish {
			d.publish(now, d.Wanted.Config.Description)
		}
		return nil
	}
	if in.DryRun {
		view, err := c.Get(key)
		if err != nil {
			return nil, err
		}
		d := &draft{record: view.record(), view: view}
		in.Publish = false
		if err := edit(d); err != nil {
			return nil, err
		}
		return viewOf(view.Key, view.ARN, d.record, view.stored, view.Reserved, func(versionRef) *Version { return nil }), nil
	}
	return c.mutate(ctx, key, edit)
}

// UpdateConfig replaces the configuration of $LATEST by what change makes of a
// copy of it. change may be called more than once, each time with a fresh
// copy, and must not call the catalog; its error ends the update. RevisionID
// is the optional precondition.
func (c *Catalog) UpdateConfig(ctx context.Context, key Key, revisionID string, change func(*Configuration) error) (*View, error) {
	return c.mutate(ctx, key, func(d *draft) error {
		if err := d.beginUpdate(revisionID, c.opts.Now()); err != nil {
			return err
		}
		config := d.Wanted.Config.Clone()
		if err := change(&config); err != nil {
			return err
		}
		config.setDefaults()
		if err := config.check(); err != nil {
			return err
		}
		d.Wanted.Config = config
		d.touch(c.opts.Now())
		return nil
	})
}

// CompleteUpdate says that a node is ready to serve the revision: it becomes
// what answers requests for $LATEST. Nothing changes, and the present view is
// returned, when that revision is not wanted any more or serves already.
func (c *Catalog) CompleteUpdate(ctx context.Context, key Key, revisionID string) (*View, error) {
	return c.mutate(named(ctx, "CompleteUpdate"), key, func(d *draft) error {
		if d.view.Wanted.ID != revisionID || !d.Status.pending() {
			return errUnchanged
		}
		d.Status = settled()
		d.settleVersions(nil)
		d.keepServing()
		d.Serving, d.Since = nil, 0
		d.RevisionID = uuid.NewString()
		return nil
	})
}

// keepServing remembers what serves as what a rollback goes back to, where what
// is wanted is about to take its place.
func (d *draft) keepServing() {
	if serving := d.view.Serving; serving != nil && serving.ID != d.view.Wanted.ID {
		c := contentOf(serving)
		d.Previous = &c
	}
}

// FailUpdate says that the revision can't be served, with one of Lambda's
// reason codes. What served before, if anything did, goes on serving. Nothing
// changes when that revision is not wanted any more or serves already.
func (c *Catalog) FailUpdate(ctx context.Context, key Key, revisionID, code, reason string) (*View, error) {
	return c.mutate(named(ctx, "FailUpdate"), key, func(d *draft) error {
		if d.view.Wanted.ID != revisionID || !d.Status.pending() {
			return errUnchanged
		}
		d.Status, d.Since = d.Status.failed(code, reason), 0
		d.settleVersions(&Status{State: Failed, StateReason: reason, StateReasonCode: code})
		d.RevisionID = uuid.NewString()
		return nil
	})
}

// beginUpdate checks that $LATEST may be changed now, and makes what serves
// now serve on beside the coming change. Versions published with an update
// that is overtaken are there to stay; nothing is known against them.
func (d *draft) beginUpdate(revisionID string, now time.Time) error {
	if d.Status.State == Pending {
		return errPending()
	}
	if err := expect(revisionID, d.RevisionID); err != nil {
		return err
	}
	if d.view.Serving != nil {
		serving := contentOf(d.view.Serving)
		d.Serving = &serving
	}
	if d.Status.Update == InProgress {
		d.settleVersions(nil)
	} else {
		d.Since = now.UnixMilli()
	}
	d.Status = d.Status.updating()
	return nil
}

// idle checks that no creation or update is under way.
func (d *draft) idle() error {
	switch {
	case d.Status.State == Pending:
		return errPending()
	case d.Status.Update == InProgress:
		return errUpdateInProgress(d.view.ARN)
	}
	return nil
}

// settleVersions gives the versions published with the update that just ended
// their final status; nil stands for Active.
func (d *draft) settleVersions(final *Status) {
	for i, ref := range d.Versions {
		if ref.Status != nil && ref.Status.State == Pending {
			d.Versions[i].Status = final
		}
	}
}
