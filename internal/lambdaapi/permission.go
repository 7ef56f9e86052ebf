package lambdaapi

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/lambdaapi/wire"
)

func (c *call) addPermission(in *wire.AddPermissionRequest) (*wire.AddPermissionResponse, error) {
	t, err := c.target(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	view, err := c.opts.Catalog.Get(t.Key)
	if err != nil {
		return nil, err
	}
	who, ok := parsePrincipal(*in.Principal)
	if !ok {
		return nil, refuse(invalidParameter, "The provided principal was invalid. Please check the principal and try again.")
	}
	body, err := encodeStatement(statement{
		Sid: *in.StatementId, Effect: "Allow", Principal: who, Action: *in.Action, Resource: view.QualifiedARN(t.qualifier), Condition: conditions(in),
	})
	if err != nil {
		return nil, err
	}
	if _, err := c.opts.Catalog.AddPermission(c.ctx, t.Key, t.qualifier, function.Statement{ID: *in.StatementId, Body: body}, value(in.RevisionId)); err != nil {
		return nil, err
	}
	return &wire.AddPermissionResponse{Statement: new(string(body))}, nil
}

// conditions are what the optional members of a permission become, under the
// names that Lambda gives them.
func conditions(in *wire.AddPermissionRequest) map[string]map[string]string {
	out := map[string]map[string]string{}
	add := func(operator, key string, v *string) {
		if v == nil {
			return
		}
		if out[operator] == nil {
			out[operator] = map[string]string{}
		}
		out[operator][key] = *v
	}
	add("StringEquals", "AWS:SourceAccount", in.SourceAccount)
	add("StringEquals", "lambda:EventSourceToken", in.EventSourceToken)
	add("StringEquals", "aws:PrincipalOrgID", in.PrincipalOrgID)
	add("StringEquals", "lambda:FunctionUrlAuthType", in.FunctionUrlAuthType)
	add("ArnLike", "AWS:SourceArn", in.SourceArn)
	if in.InvokedViaFunctionUrl != nil {
		add("Bool", "lambda:InvokedViaFunctionUrl", new(strconv.FormatBool(*in.InvokedViaFunctionUrl)))
	}
	return out
}

func encodeStatement(s statement) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(s)
	return bytes.TrimSpace(b.Bytes()), err
}

func (c *call) removePermission(in *wire.RemovePermissionRequest) error {
	t, err := c.target(in.FunctionName, in.Qualifier)
	if err != nil {
		return err
	}
	_, err = c.opts.Catalog.RemovePermission(c.ctx, t.Key, t.qualifier, *in.StatementId, value(in.RevisionId))
	return err
}

func (c *call) getPolicy(in *wire.GetPolicyRequest) (*wire.GetPolicyResponse, error) {
	t, err := c.target(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	view, err := c.opts.Catalog.Get(t.Key)
	if err != nil {
		return nil, err
	}
	policy, err := view.Policy(t.qualifier)
	if err != nil {
		return nil, err
	}
	return &wire.GetPolicyResponse{Policy: new(policy.Document()), RevisionId: new(policy.RevisionID)}, nil
}
