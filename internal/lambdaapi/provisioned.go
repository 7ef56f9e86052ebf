package lambdaapi

import (
	"github.com/hearthd/hearth/internal/deploy"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/lambdaapi/wire"
)

// The states of provisioned concurrency.
const (
	provisionInProgress = "IN_PROGRESS"
	provisionReady      = "READY"
	provisionFailed     = "FAILED"
)

func (c *call) putProvisionedConcurrencyConfig(in *wire.PutProvisionedConcurrencyConfigRequest) (*wire.PutProvisionedConcurrencyConfigResponse, error) {
	t, err := c.target(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	view, err := c.opts.Catalog.SetProvisioned(c.ctx, t.Key, t.qualifier, int(*in.ProvisionedConcurrentExecutions))
	if err != nil {
		return nil, err
	}
	p := c.provisioned(view, t.qualifier)
	return &wire.PutProvisionedConcurrencyConfigResponse{
		RequestedProvisionedConcurrentExecutions: p.RequestedProvisionedConcurrentExecutions,
		AvailableProvisionedConcurrentExecutions: p.AvailableProvisionedConcurrentExecutions,
		AllocatedProvisionedConcurrentExecutions: p.AllocatedProvisionedConcurrentExecutions,
		Status:                                   p.Status, StatusReason: p.StatusReason, LastModified: p.LastModified,
	}, nil
}

func (c *call) getProvisionedConcurrencyConfig(in *wire.GetProvisionedConcurrencyConfigRequest) (*wire.GetProvisionedConcurrencyConfigResponse, error) {
	t, err := c.target(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	view, err := c.opts.Catalog.Get(t.Key)
	if err != nil {
		return nil, err
	}
	switch _, has, err := view.ProvisionedOn(t.qualifier); {
	case err != nil:
		return nil, err
	case !has:
		return nil, refuse(provisionedNotFound, "No Provisioned Concurrency Config found for this function")
	}
	p := c.provisioned(view, t.qualifier)
	return &wire.GetProvisionedConcurrencyConfigResponse{
		RequestedProvisionedConcurrentExecutions: p.RequestedProvisionedConcurrentExecutions,
		AvailableProvisionedConcurrentExecutions: p.AvailableProvisionedConcurrentExecutions,
		AllocatedProvisionedConcurrentExecutions: p.AllocatedProvisionedConcurrentExecutions,
		Status:                                   p.Status, StatusReason: p.StatusReason, LastModified: p.LastModified,
	}, nil
}

func (c *call) deleteProvisionedConcurrencyConfig(in *wire.DeleteProvisionedConcurrencyConfigRequest) error {
	t, err := c.target(in.FunctionName, in.Qualifier)
	if err != nil {
		return err
	}
	_, err = c.opts.Catalog.DeleteProvisioned(c.ctx, t.Key, t.qualifier)
	return err
}

func (c *call) listProvisionedConcurrencyConfigs(in *wire.ListProvisionedConcurrencyConfigsRequest) (*wire.ListProvisionedConcurrencyConfigsResponse, error) {
	t, err := c.whole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	view, err := c.opts.Catalog.Get(t.Key)
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(view.ProvisionedQualifiers(), in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &wire.ListProvisionedConcurrencyConfigsResponse{ProvisionedConcurrencyConfigs: []wire.ProvisionedConcurrencyConfigListItem{}, NextMarker: next}
	for _, qualifier := range page {
		out.ProvisionedConcurrencyConfigs = append(out.ProvisionedConcurrencyConfigs, c.provisioned(view, qualifier))
	}
	return out, nil
}

// provisioned describes the provisioned concurrency that a qualifier has. What
// there is of it is this node's to say; the rest is the catalog's.
func (c *call) provisioned(view *function.View, qualifier string) wire.ProvisionedConcurrencyConfigListItem {
	p := view.Provisioned[qualifier]
	var there deploy.Allocation
	if c.opts.Allocation != nil {
		there = c.opts.Allocation(view, qualifier)
	}
	out := wire.ProvisionedConcurrencyConfigListItem{
		FunctionArn:                              new(view.QualifiedARN(qualifier)),
		RequestedProvisionedConcurrentExecutions: new(int64(p.N)),
		AvailableProvisionedConcurrentExecutions: new(int64(there.Available)),
		AllocatedProvisionedConcurrentExecutions: new(int64(there.Allocated)),
		Status:                                   new(provisionInProgress),
		LastModified:                             new(p.Modified.UTC().Format(timeFormat)),
	}
	switch {
	case there.Available >= p.N:
		out.Status = new(provisionReady)
	case there.Failure != "":
		out.Status, out.StatusReason = new(provisionFailed), &there.Failure
	}
	return out
}
