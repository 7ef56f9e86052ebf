package function

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// PublishInput says what to publish.
type PublishInput struct {
	// CodeSHA256 and RevisionID are optional preconditions on $LATEST.
	CodeSHA256 string
	RevisionID string
	// Description stands in the version instead of $LATEST's; empty keeps that.
	Description string
}

// PublishVersion makes a numbered version of $LATEST. When neither code nor
// configuration changed since the last version was published, that version is
// returned instead of a new one.
func (c *Catalog) PublishVersion(ctx context.Context, key Key, in PublishInput) (*View, *Version, error) {
	number := 0
	view, err := c.mutate(ctx, key, func(d *draft) error {
		if err := d.idle(); err != nil {
			return err
		}
		if err := expect(in.RevisionID, d.RevisionID); err != nil {
			return err
		}
		if in.CodeSHA256 != "" && in.CodeSHA256 != d.Wanted.CodeSHA256 {
			return fail(InvalidParameter, "CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", in.CodeSHA256, d.Wanted.CodeSHA256)
		}
		number = d.Next - 1
		last := d.view.Versions[strconv.Itoa(number)]
		if last != nil && last.source == source(d.Wanted.CodeSHA256, &d.Wanted.Config) {
			return errUnchanged
		}
		number = d.Next
		description := in.Description
		if description == "" {
			description = d.Wanted.Config.Description
		}
		d.publish(c.opts.Now(), description)
		d.RevisionID = uuid.NewString()
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return view, view.Versions[strconv.Itoa(number)], nil
}

// publish adds the next version, a copy of what is wanted; it is Pending as
// long as what is wanted has not been found to work.
func (d *draft) publish(now time.Time, description string) {
	b := &body{
		content:    d.Wanted,
		RevisionID: uuid.NewString(),
		Modified:   now.UnixMilli(),
		Source:     source(d.Wanted.CodeSHA256, &d.Wanted.Config),
	}
	b.Config.Description = description
	ref := versionRef{Number: d.Next, Body: newID()}
	if d.Status.pending() {
		st := created()
		ref.Status = &st
	}
	d.Versions = append(d.Versions, ref)
	d.Next++
	if d.added == nil {
		d.added = make(map[string]*body, 1)
	}
	d.added[bodyKey(d.ID, ref)] = b
	d.newCode += b.CodeSize
}
