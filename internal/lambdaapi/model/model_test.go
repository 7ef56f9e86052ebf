package model_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/hearthd/hearth/internal/lambdaapi/model"
	"github.com/hearthd/hearth/internal/lambdaapi/wire"
)

func Example() {
	r := httptest.NewRequest("PUT", "/2015-03-31/functions/hello/configuration", nil)
	match, _ := model.Lambda().Match(r.Method, r.URL.EscapedPath(), r.URL.RawQuery)
	input, err := match.Parse(r, []byte(`{"MemorySize": 64, "Environment": {"Variables": {"COLOUR": "red"}}}`))
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(match.Operation.Name)
	fmt.Println(match.Operation.Validate(input))
	var request wire.UpdateFunctionConfigurationRequest
	input.Bind(&request)
	fmt.Println(*request.FunctionName, *request.MemorySize, request.Environment.Variables)
	// Output:
	// UpdateFunctionConfiguration
	// 1 validation error detected: Value '64' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128
	// hello 64 map[COLOUR:red]
}

func TestModelIsComplete(t *testing.T) {
	m := model.Lambda()
	if n := len(m.Operations); n != 85 {
		t.Errorf("%d operations, the API has 85", n)
	}
	for _, op := range m.Operations {
		if m.Operation(op.Name) != op {
			t.Errorf("%s is not found by its name", op.Name)
		}
	}
	if m.Operation("Incinerate") != nil {
		t.Error("an operation that the API does not have is found")
	}
	e, ok := m.Exception("ResourceNotFoundException")
	if !ok || e.Status != 404 || e.MessageMember != "Message" {
		t.Errorf("ResourceNotFoundException: %+v", e)
	}
	if _, ok := m.Exception("FunctionConfiguration"); ok {
		t.Error("a structure is an exception")
	}
}

// A request with every member of its input is read, whatever the operation.
func TestEveryInputIsRead(t *testing.T) {
	for _, op := range model.Lambda().Operations {
		body, err := json.Marshal(sample(op.Input, model.InBody))
		if err != nil {
			t.Fatal(err)
		}
		path := regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(op.Path, "3")
		r := httptest.NewRequest(op.Method, path+"?"+op.Query, nil)
		match, _ := model.Lambda().Match(r.Method, path, r.URL.RawQuery)
		doc, err := match.Parse(r, body)
		if err != nil {
			t.Errorf("%s: %v", op.Name, err)
			continue
		}
		for _, m := range op.Input.Members {
			if _, ok := doc[m.Name]; !ok && (m.In == model.InBody || m.In == model.InPath) {
				t.Errorf("%s: %s is missing", op.Name, m.Name)
			}
		}
	}
}

// sample is JSON with every member of a shape.
func sample(s *model.Shape, in model.Location) any {
	switch s.Kind {
	case model.Structure:
		out := map[string]any{}
		for _, m := range s.Members {
			if m.In == in && m.Name != s.Payload {
				out[m.Name] = sample(m.Shape, in)
			}
		}
		return out
	case model.List:
		return []any{sample(s.Item, in)}
	case model.Map:
		return map[string]any{"key": sample(s.Value, in)}
	case model.Boolean:
		return true
	case model.Integer, model.Long:
		return 3
	case model.Double:
		return 0.5
	case model.Timestamp:
		return 1795442400.5
	case model.Blob:
		return "aGVsbG8="
	default:
		return "text"
	}
}
