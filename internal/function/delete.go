package function

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/hearthd/hearth/internal/state"
)

// Delete removes a function with all its versions and aliases, or, with a
// version's number as qualifier, that version. The code packages stay in the
// code store; see [Catalog.Packages].
func (c *Catalog) Delete(ctx context.Context, key Key, qualifier string) error {
	if qualifier != "" {
		return c.deleteVersion(ctx, key, qualifier)
	}
	for {
		view, err := c.Get(key)
		if err != nil {
			return err
		}
		err = c.bucket.Delete(ctx, recordKey(key), view.stored)
		if err != nil && !errors.Is(err, state.ErrConflict) && !errors.Is(err, state.ErrNotFound) {
			return err
		}
		deleted := err == nil
		if deleted {
			c.dropBodies(ctx, view.FunctionID, view.refs)
		}
		if err := c.until(ctx, func() bool { return c.table.get(key) != view }); err != nil || deleted {
			return err
		}
	}
}

func (c *Catalog) deleteVersion(ctx context.Context, key Key, qualifier string) error {
	if qualifier == Latest {
		return fail(InvalidParameter, "$LATEST version cannot be deleted without deleting the function.")
	}
	_, err := c.mutate(ctx, key, func(d *draft) error {
		if d.Aliases[qualifier] != nil {
			return fail(InvalidParameter, "Deletion of aliases is not currently supported.")
		}
		at := slices.IndexFunc(d.Versions, func(r versionRef) bool { return strconv.Itoa(r.Number) == qualifier })
		if at < 0 {
			return errFunctionNotFound(d.view.QualifiedARN(qualifier))
		}
		var users []string
		for _, name := range d.view.AliasNames() {
			if a := d.Aliases[name]; a.leads(qualifier) || a.Serving().leads(qualifier) {
				users = append(users, name)
			}
		}
		if users != nil {
			return fail(Conflict, "Unable to delete version because the following aliases reference it: [%s]", strings.Join(users, ", "))
		}
		d.gone = append(d.gone, d.Versions[at])
		d.Versions = slices.Delete(d.Versions, at, at+1)
		delete(d.Policies, qualifier)
		delete(d.Provisioned, qualifier)
		return nil
	})
	return err
}
