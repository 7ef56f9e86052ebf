package model_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/lambdaapi/model"
	"github.com/hearthd/hearth/internal/lambdaapi/wire"
)

func TestEncode(t *testing.T) {
	for _, c := range []struct {
		operation string
		output    any
		status    int
		body      string
		header    map[string]string
	}{
		{"GetFunctionConfiguration", &wire.FunctionConfiguration{FunctionName: new("f"), Description: new("a < b"), Layers: []wire.Layer{}}, 200,
			`{"FunctionName":"f","Description":"a < b","Layers":[]}`, map[string]string{"Content-Type": "application/json", "Content-Length": "54"}},
		{"CreateFunction", &wire.FunctionConfiguration{}, 201, `{}`, nil},
		{"DeleteFunction", &wire.DeleteFunctionResponse{StatusCode: new(int64(204))}, 204, "", map[string]string{"Content-Type": ""}},
		{"DeleteAlias", nil, 204, "", nil},
		{"Invoke", &wire.InvocationResponse{StatusCode: new(int64(200)), FunctionError: new("Unhandled"), Payload: []byte("raw")}, 200, "raw", map[string]string{"X-Amz-Function-Error": "Unhandled", "X-Amz-Executed-Version": ""}},
		{"GetEventSourceMapping", &wire.EventSourceMappingConfiguration{LastModified: &wire.Time{Time: time.UnixMilli(1795442400500)}}, 200, `{"LastModified":1795442400.5}`, nil},
	} {
		t.Run(c.operation, func(t *testing.T) {
			w := httptest.NewRecorder()
			if err := model.Lambda().Operation(c.operation).Encode(w, c.output); err != nil {
				t.Fatal(err)
			}
			if w.Code != c.status || w.Body.String() != c.body {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, c.status, c.body)
			}
			for name, want := range c.header {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}
