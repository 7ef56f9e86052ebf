package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/hearthd/hearth/internal/sizing"
)

func sizingPath(function, rest, qualifier string) string {
	path := "/hearth/v1/functions/" + url.PathEscape(function) + "/sizing" + rest
	if qualifier != "" {
		path += "?" + url.Values{"qualifier": {qualifier}}.Encode()
	}
	return path
}

// AllSizing reports on every function that was called.
func (c *Client) AllSizing(ctx context.Context) ([]sizing.Report, error) {
	var out struct {
		Functions []sizing.Report `json:"functions"`
	}
	return out.Functions, c.call(ctx, http.MethodGet, "/hearth/v1/sizing", nil, &out)
}

// Sizing reports on a version of a function, "" for $LATEST.
func (c *Client) Sizing(ctx context.Context, function, qualifier string) (*sizing.Report, error) {
	var r sizing.Report
	return &r, c.explain(ctx, c.call(ctx, http.MethodGet, sizingPath(function, "", qualifier), nil, &r), function)
}

// ExplainSizing draws the curve of durations and costs.
func (c *Client) ExplainSizing(ctx context.Context, function, qualifier string) (*sizing.Curve, error) {
	var r sizing.Curve
	return &r, c.explain(ctx, c.call(ctx, http.MethodGet, sizingPath(function, "/curve", qualifier), nil, &r), function)
}

// ApplySizing lets what is recommended be applied from now on.
func (c *Client) ApplySizing(ctx context.Context, function string) error {
	return c.explain(ctx, c.call(ctx, http.MethodPost, sizingPath(function, "/apply", ""), nil, nil), function)
}

// ResetSizing forgets what was learned and decided.
func (c *Client) ResetSizing(ctx context.Context, function, qualifier string) error {
	return c.explain(ctx, c.call(ctx, http.MethodDelete, sizingPath(function, "", qualifier), nil, nil), function)
}
