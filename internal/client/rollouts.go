package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/hearthd/hearth/internal/rollout"
)

const rolloutsPath = "/hearth/v1/rollouts"

// StartRollout begins a roll-out.
func (c *Client) StartRollout(ctx context.Context, spec rollout.Spec) (*rollout.Rollout, error) {
	var r rollout.Rollout
	return &r, c.explain(ctx, c.call(ctx, http.MethodPost, rolloutsPath, spec, &r), spec.Function)
}

// Rollouts lists roll-outs, those under way first, then the newest. function and
// alias may be "".
func (c *Client) Rollouts(ctx context.Context, function, alias string) ([]rollout.Rollout, error) {
	var list struct {
		Rollouts []rollout.Rollout `json:"rollouts"`
	}
	q := url.Values{}
	if function != "" {
		q.Set("function", function)
	}
	if alias != "" {
		q.Set("alias", alias)
	}
	return list.Rollouts, c.call(ctx, http.MethodGet, rolloutsPath+"?"+q.Encode(), nil, &list)
}

// Rollout finds what people mean by a name: a roll-out's own, or that of a
// function (and of an alias, "" being any): the one under way, or the last one.
func (c *Client) Rollout(ctx context.Context, name, alias string) (*rollout.Rollout, error) {
	if strings.Contains(name, ".") {
		var r rollout.Rollout
		return &r, c.call(ctx, http.MethodGet, rolloutPath(name, ""), nil, &r)
	}
	list, err := c.Rollouts(ctx, name, alias)
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, c.noRollout(ctx, name, alias)
	case len(list) > 1 && !list[1].State.Ended():
		var under []string
		for _, r := range list {
			if !r.State.Ended() {
				under = append(under, r.Alias)
			}
		}
		return nil, fmt.Errorf("function %s has several roll-outs under way, of the aliases %s: say which with --alias", name, strings.Join(under, ", "))
	}
	return &list[0], nil
}

func (c *Client) noRollout(ctx context.Context, name, alias string) error {
	if c.missing(ctx, name) {
		names, err := c.Names(ctx)
		if err != nil {
			names = nil // no suggestions, then
		}
		return &NotFoundError{Function: name, Similar: similar(name, names)}
	}
	if alias != "" {
		return fmt.Errorf("alias %s of function %s has had no roll-out; begin one with `hearth rollout start %s --alias %s`", alias, name, name, alias)
	}
	return fmt.Errorf("function %s has had no roll-out; begin one with `hearth rollout start %s --alias ALIAS`", name, name)
}

// AskRollout asks for pause, resume or abort.
func (c *Client) AskRollout(ctx context.Context, id, what string) (*rollout.Rollout, error) {
	var r rollout.Rollout
	return &r, c.call(ctx, http.MethodPost, rolloutPath(id, what), nil, &r)
}

// WatchRollout calls f with the roll-out as it is, and whenever it has changed,
// until it has ended.
func (c *Client) WatchRollout(ctx context.Context, id string, f func(*rollout.Rollout) error) error {
	res, err := c.send(ctx, http.MethodGet, rolloutPath(id, "watch"), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for states := json.NewDecoder(res.Body); ; {
		var r rollout.Rollout
		err := states.Decode(&r)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("the node no longer tells how roll-out %s goes on (%w); it has probably stopped, and goes on with it when it starts again", id, err)
		}
		if err := f(&r); err != nil {
			return err
		}
	}
}

func rolloutPath(id, what string) string {
	path := rolloutsPath + "/" + url.PathEscape(id)
	if what != "" {
		path += "/" + what
	}
	return path
}
