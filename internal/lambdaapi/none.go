package lambdaapi

import (
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/lambdaapi/wire"
)

// What can't be made yet doesn't exist, and tools that look for it may be told
// so: the operations here read such things and answer that there are none.

// existing finds the function of a call.
func (c *call) existing(name, qualifier *string) (target, *function.View, error) {
	t, err := c.target(name, qualifier)
	if err != nil {
		return t, nil, err
	}
	view, err := c.opts.Catalog.Get(t.Key)
	if err != nil {
		return t, nil, err
	}
	_, err = view.Describe(t.qualifier)
	return t, view, err
}

func (c *call) getFunctionCodeSigningConfig(in *wire.GetFunctionCodeSigningConfigRequest) (*wire.GetFunctionCodeSigningConfigResponse, error) {
	t, _, err := c.existing(in.FunctionName, nil)
	return &wire.GetFunctionCodeSigningConfigResponse{CodeSigningConfigArn: new(""), FunctionName: &t.Name}, err
}

func (c *call) listCodeSigningConfigs(*wire.ListCodeSigningConfigsRequest) (*wire.ListCodeSigningConfigsResponse, error) {
	return &wire.ListCodeSigningConfigsResponse{CodeSigningConfigs: []wire.CodeSigningConfig{}}, nil
}

// getRuntimeManagementConfig says Auto: functions run on what the node has,
// which its operator keeps up to date.
func (c *call) getRuntimeManagementConfig(in *wire.GetRuntimeManagementConfigRequest) (*wire.GetRuntimeManagementConfigResponse, error) {
	t, view, err := c.existing(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return &wire.GetRuntimeManagementConfigResponse{UpdateRuntimeOn: new("Auto"), FunctionArn: new(view.QualifiedARN(t.qualifier))}, nil
}

// getFunctionRecursionConfig says Allow: loops are not looked for.
func (c *call) getFunctionRecursionConfig(in *wire.GetFunctionRecursionConfigRequest) (*wire.GetFunctionRecursionConfigResponse, error) {
	_, _, err := c.existing(in.FunctionName, nil)
	return &wire.GetFunctionRecursionConfigResponse{RecursiveLoop: new("Allow")}, err
}

func (c *call) getFunctionEventInvokeConfig(in *wire.GetFunctionEventInvokeConfigRequest) (*wire.FunctionEventInvokeConfig, error) {
	t, view, err := c.existing(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return nil, refuse(resourceNotFound, "The function %s doesn't have an EventInvokeConfig", view.QualifiedARN(t.qualifier))
}

func (c *call) listFunctionEventInvokeConfigs(in *wire.ListFunctionEventInvokeConfigsRequest) (*wire.ListFunctionEventInvokeConfigsResponse, error) {
	_, _, err := c.existing(in.FunctionName, nil)
	return &wire.ListFunctionEventInvokeConfigsResponse{FunctionEventInvokeConfigs: []wire.FunctionEventInvokeConfig{}}, err
}

func (c *call) getFunctionURLConfig(in *wire.GetFunctionUrlConfigRequest) (*wire.GetFunctionUrlConfigResponse, error) {
	if _, _, err := c.existing(in.FunctionName, in.Qualifier); err != nil {
		return nil, err
	}
	return nil, refuse(resourceNotFound, "The resource you requested does not exist.")
}

func (c *call) listFunctionURLConfigs(in *wire.ListFunctionUrlConfigsRequest) (*wire.ListFunctionUrlConfigsResponse, error) {
	_, _, err := c.existing(in.FunctionName, nil)
	return &wire.ListFunctionUrlConfigsResponse{FunctionUrlConfigs: []wire.FunctionUrlConfig{}}, err
}

func (c *call) listEventSourceMappings(*wire.ListEventSourceMappingsRequest) (*wire.ListEventSourceMappingsResponse, error) {
	return &wire.ListEventSourceMappingsResponse{EventSourceMappings: []wire.EventSourceMappingConfiguration{}}, nil
}

func (c *call) listLayers(*wire.ListLayersRequest) (*wire.ListLayersResponse, error) {
	return &wire.ListLayersResponse{Layers: []wire.LayersListItem{}}, nil
}
