package lambdaapi

import (
	"errors"
	"maps"
	"strings"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/invoke"
	"github.com/hearthd/hearth/internal/lambdaapi/wire"
	"github.com/hearthd/hearth/internal/sizing"
)

// tagged finds the function that an ARN names. The other resources that can
// have tags don't exist yet.
func (c *call) tagged(arn *string) (function.Key, error) {
	if parts := strings.SplitN(*arn, ":", 7); len(parts) < 7 || parts[5] != "function" {
		return function.Key{}, refuse(resourceNotFound, "The resource you requested does not exist: %s", *arn)
	}
	t, err := c.target(arn, nil)
	if err == nil && t.qualifier != "" {
		return t.Key, refuse(invalidParameter, "Tags on function aliases and versions are not supported. Please specify a function ARN.")
	}
	return t.Key, err
}

func (c *call) listTags(in *wire.ListTagsRequest) (*wire.ListTagsResponse, error) {
	key, err := c.tagged(in.Resource)
	if err != nil {
		return nil, err
	}
	view, err := c.opts.Catalog.Get(key)
	if err != nil {
		return nil, err
	}
	out := &wire.ListTagsResponse{Tags: view.Tags}
	if out.Tags == nil {
		out.Tags = map[string]string{}
	}
	return out, nil
}

func (c *call) tagResource(in *wire.TagResourceRequest) error {
	key, err := c.tagged(in.Resource)
	if err != nil {
		return err
	}
	view, err := c.opts.Catalog.Get(key)
	if err != nil {
		return err
	}
	together := maps.Clone(in.Tags) // a bound must fit the one that is there
	for tag, value := range view.Tags {
		if _, changed := in.Tags[tag]; !changed {
			together[tag] = value
		}
	}
	if err := errors.Join(sizing.CheckTags(together), invoke.CheckTags(together)); err != nil {
		return err
	}
	_, err = c.opts.Catalog.Tag(c.ctx, key, in.Tags)
	return err
}

func (c *call) untagResource(in *wire.UntagResourceRequest) error {
	key, err := c.tagged(in.Resource)
	if err != nil {
		return err
	}
	_, err = c.opts.Catalog.Untag(c.ctx, key, in.TagKeys)
	return err
}
