package server

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// openapi.yaml is a valid description, and describes exactly what is served: a
// new route wants an entry there.
func TestDescriptionIsWhatIsServed(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	ids := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			described[method+" "+path] = true
			if operation.Summary == "" || operation.OperationID == "" || ids[operation.OperationID] {
				t.Errorf("%s %s needs a summary, and an operationId of its own", method, path)
			}
			ids[operation.OperationID] = true
		}
	}
	served := (&node{}).native().patterns
	for _, pattern := range served {
		method, path, ok := strings.Cut(pattern, " ")
		if !ok {
			method, path = "GET", pattern // any method
		}
		if path != "/" && !described[method+" "+path] {
			t.Errorf("internal/server/openapi.yaml does not describe %s %s", method, path)
		}
		delete(described, method+" "+path)
	}
	for _, one := range slices.Sorted(maps.Keys(described)) {
		t.Errorf("internal/server/openapi.yaml describes %s, which is not served", one)
	}
}
