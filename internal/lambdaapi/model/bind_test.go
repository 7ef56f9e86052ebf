package model_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hearthd/hearth/internal/lambdaapi/model"
	"github.com/hearthd/hearth/internal/lambdaapi/wire"
)

// Binding a body to a wire type is what encoding/json would do with it: every
// member arrives, and those that are absent stay so.
func TestBindAgreesWithEncodingJSON(t *testing.T) {
	for name, to := range map[string]struct{ bound, decoded any }{
		"CreateFunction":                  {new(wire.CreateFunctionRequest), new(wire.CreateFunctionRequest)},
		"UpdateFunctionCode":              {new(wire.UpdateFunctionCodeRequest), new(wire.UpdateFunctionCodeRequest)},
		"UpdateFunctionConfiguration":     {new(wire.UpdateFunctionConfigurationRequest), new(wire.UpdateFunctionConfigurationRequest)},
		"CreateAlias":                     {new(wire.CreateAliasRequest), new(wire.CreateAliasRequest)},
		"AddPermission":                   {new(wire.AddPermissionRequest), new(wire.AddPermissionRequest)},
		"CreateEventSourceMapping":        {new(wire.CreateEventSourceMappingRequest), new(wire.CreateEventSourceMappingRequest)},
		"CreateCapacityProvider":          {new(wire.CreateCapacityProviderRequest), new(wire.CreateCapacityProviderRequest)},
		"CheckpointDurableExecution":      {new(wire.CheckpointDurableExecutionRequest), new(wire.CheckpointDurableExecutionRequest)},
		"PublishLayerVersion":             {new(wire.PublishLayerVersionRequest), new(wire.PublishLayerVersionRequest)},
		"PutFunctionEventInvokeConfig":    {new(wire.PutFunctionEventInvokeConfigRequest), new(wire.PutFunctionEventInvokeConfigRequest)},
		"CreateFunctionUrlConfig":         {new(wire.CreateFunctionUrlConfigRequest), new(wire.CreateFunctionUrlConfigRequest)},
		"PutFunctionScalingConfig":        {new(wire.PutFunctionScalingConfigRequest), new(wire.PutFunctionScalingConfigRequest)},
		"UpdateCodeSigningConfig":         {new(wire.UpdateCodeSigningConfigRequest), new(wire.UpdateCodeSigningConfigRequest)},
		"PutProvisionedConcurrencyConfig": {new(wire.PutProvisionedConcurrencyConfigRequest), new(wire.PutProvisionedConcurrencyConfigRequest)},
	} {
		op := model.Lambda().Operation(name)
		body, err := json.Marshal(sample(op.Input, model.InBody))
		if err != nil {
			t.Fatal(err)
		}
		match := model.Match{Operation: op}
		doc, err := match.Parse(httptest.NewRequest("POST", "/", nil), body)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range op.Input.Members {
			if m.In == model.InPath {
				delete(doc, m.Name)
			}
		}
		doc.Bind(to.bound)
		if err := json.Unmarshal(body, to.decoded); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(to.decoded, to.bound); diff != "" {
			t.Errorf("%s (-encoding/json +Bind):\n%s", name, diff)
		}
	}
}

func TestParseCollectsFromEverywhere(t *testing.T) {
	r := httptest.NewRequest("POST", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af/policy?Qualifier=live", nil)
	match, _ := model.Lambda().Match(r.Method, r.URL.EscapedPath(), r.URL.RawQuery)
	doc, err := match.Parse(r, []byte(`{"StatementId":"s","Unknown":[{"x":null}],"Action":"lambda:*","Principal":"*","InvokedViaFunctionUrl":true,"SourceArn":null}`))
	if err != nil {
		t.Fatal(err)
	}
	want := model.Document{
		"FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:f", "Qualifier": "live", "StatementId": "s",
		"Action": "lambda:*", "Principal": "*", "InvokedViaFunctionUrl": true,
	}
	if diff := cmp.Diff(want, doc); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}

	r = httptest.NewRequest("POST", "/2015-03-31/functions/f/invocations", nil)
	r.Header.Set("X-Amz-Log-Type", "Tail")
	match, _ = model.Lambda().Match(r.Method, r.URL.EscapedPath(), r.URL.RawQuery)
	if doc, err = match.Parse(r, []byte(`any bytes`)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(model.Document{"FunctionName": "f", "LogType": "Tail", "Payload": []byte("any bytes")}, doc); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}

	r = httptest.NewRequest("DELETE", "/2017-03-31/tags/arn:aws:lambda:us-east-1:123456789012:function:f?tagKeys=a&tagKeys=b%20c", nil)
	match, _ = model.Lambda().Match(r.Method, r.URL.EscapedPath(), r.URL.RawQuery)
	if doc, err = match.Parse(r, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{"a", "b c"}, doc["TagKeys"]); diff != "" {
		t.Errorf("tag keys (-want +got):\n%s", diff)
	}
}

// Outside the body everything is text, and read as what it stands for.
func TestParseTexts(t *testing.T) {
	const list = "/2025-12-01/functions/f/durable-executions"
	for _, c := range []struct {
		path string
		name string
		want any // nil for a refusal
	}{
		{list + "?ReverseOrder=true", "ReverseOrder", true},
		{list + "?ReverseOrder=false", "ReverseOrder", false},
		{list + "?ReverseOrder=yes", "ReverseOrder", nil},
		{list + "?StartedAfter=2026-11-23T14:00:00Z", "StartedAfter", time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)},
		{list + "?StartedAfter=yesterday", "StartedAfter", nil},
		{list + "?Statuses=RUNNING&Statuses=FAILED", "Statuses", []any{"RUNNING", "FAILED"}},
		{list + "?MaxItems=7", "MaxItems", int64(7)},
		{list + "?MaxItems=3000000000", "MaxItems", nil},
		{"/2018-10-31/layers/l/versions/4000000000", "VersionNumber", int64(4000000000)},
		{"/2018-10-31/layers/l/versions/four", "VersionNumber", nil},
		{"/2018-10-31/layers/%zz/versions/4", "LayerName", nil},
	} {
		path, query, _ := strings.Cut(c.path, "?")
		match, miss := model.Lambda().Match("GET", path, query)
		if miss != model.Found {
			t.Fatalf("%s is not found", c.path)
		}
		doc, err := match.Parse(&http.Request{URL: &url.URL{RawQuery: query}}, nil)
		var refused *model.ParseError
		if c.want == nil && (!errors.As(err, &refused) || refused.Exception != model.Mismatched) {
			t.Errorf("%s: %v, %v", c.path, doc, err)
		}
		if diff := cmp.Diff(c.want, doc[c.name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.path, diff)
		}
	}
}
