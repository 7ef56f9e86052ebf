package lambdaapi

import (
	"slices"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/lambdaapi/wire"
)

func (c *call) createAlias(in *wire.CreateAliasRequest) (*wire.AliasConfiguration, error) {
	t, err := c.whole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	view, alias, err := c.opts.Catalog.CreateAlias(c.ctx, t.Key, function.AliasInput{
		Name: *in.Name, Version: *in.FunctionVersion, Description: value(in.Description), Weights: weights(in.RoutingConfig),
	})
	if err != nil {
		return nil, err
	}
	return aliasConfiguration(view, alias), nil
}

func (c *call) updateAlias(in *wire.UpdateAliasRequest) (*wire.AliasConfiguration, error) {
	t, err := c.whole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	view, alias, err := c.opts.Catalog.UpdateAlias(c.ctx, t.Key, *in.Name, function.AliasChange{
		Version: in.FunctionVersion, Description: in.Description, Weights: weights(in.RoutingConfig), RevisionID: value(in.RevisionId),
	})
	if err != nil {
		return nil, err
	}
	if c.opts.Moves != nil {
		if err := c.opts.Moves.AwaitMove(c.ctx, t.Key, alias.Name, alias.RevisionID); err != nil {
			return nil, err
		}
	}
	return aliasConfiguration(view, alias), nil
}

func (c *call) getAlias(in *wire.GetAliasRequest) (*wire.AliasConfiguration, error) {
	t, err := c.whole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	view, err := c.opts.Catalog.Get(t.Key)
	if err != nil {
		return nil, err
	}
	alias, err := view.Alias(*in.Name)
	if err != nil {
		return nil, err
	}
	return aliasConfiguration(view, alias), nil
}

func (c *call) deleteAlias(in *wire.DeleteAliasRequest) error {
	t, err := c.whole(in.FunctionName)
	if err != nil {
		return err
	}
	_, err = c.opts.Catalog.DeleteAlias(c.ctx, t.Key, *in.Name)
	return err
}

func (c *call) listAliases(in *wire.ListAliasesRequest) (*wire.ListAliasesResponse, error) {
	t, err := c.whole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	view, err := c.opts.Catalog.Get(t.Key)
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(view.AliasNames(), func(name string) bool {
		return in.FunctionVersion != nil && !pointsAt(view.Aliases[name], *in.FunctionVersion)
	})
	page, next, err := pageOf(names, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &wire.ListAliasesResponse{Aliases: []wire.AliasConfiguration{}, NextMarker: next}
	for _, name := range page {
		out.Aliases = append(out.Aliases, *aliasConfiguration(view, view.Aliases[name]))
	}
	return out, nil
}

func pointsAt(a *function.Alias, version string) bool {
	return a.Version == version || a.Additional == version
}

// weights are nil where a request has no RoutingConfig, which leaves them as
// they are, and empty where it has one without weights, which removes them.
func weights(r *wire.AliasRoutingConfiguration) map[string]float64 {
	switch {
	case r == nil:
		return nil
	case r.AdditionalVersionWeights == nil:
		return map[string]float64{}
	}
	return r.AdditionalVersionWeights
}

func aliasConfiguration(v *function.View, a *function.Alias) *wire.AliasConfiguration {
	out := &wire.AliasConfiguration{
		AliasArn:        new(v.QualifiedARN(a.Name)),
		Name:            new(a.Name),
		FunctionVersion: new(a.Version),
		Description:     new(a.Description),
		RevisionId:      new(a.RevisionID),
	}
	if w := a.Weights(); w != nil {
		out.RoutingConfig = &wire.AliasRoutingConfiguration{AdditionalVersionWeights: w}
	}
	return out
}
