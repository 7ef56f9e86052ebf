package function

import "context"

// Tag sets tags, keeping those it does not name.
func (c *Catalog) Tag(ctx context.Context, key Key, tags map[string]string) (*View, error) {
	if err := checkTags(tags); err != nil {
		return nil, err
	}
	return c.mutate(ctx, key, func(d *draft) error {
		for k, v := range tags {
			d.Tags[k] = v
		}
		if len(d.Tags) > MaxTags {
			return fail(InvalidParameter, "Number of tags exceeds resource tag limit.")
		}
		return nil
	})
}

// Untag removes tags; those that are not there are no error.
func (c *Catalog) Untag(ctx context.Context, key Key, keys []string) (*View, error) {
	return c.mutate(ctx, key, func(d *draft) error {
		before := len(d.Tags)
		for _, k := range keys {
			delete(d.Tags, k)
		}
		if len(d.Tags) == before {
			return errUnchanged
		}
		return nil
	})
}
