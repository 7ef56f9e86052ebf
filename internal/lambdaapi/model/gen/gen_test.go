package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The types that are in the repository are those of the model that is.
func TestTypesAreUpToDate(t *testing.T) {
	in, err := os.ReadFile(filepath.Join("..", modelFile))
	if err != nil {
		t.Fatal(err)
	}
	want, err := goTypes(in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", typesFile))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("types_gen.go is not what model.json makes: run go generate ./internal/lambdaapi/model")
	}
}

func TestTrimKeepsOrderAndDropsTheRest(t *testing.T) {
	out, err := trim([]byte(`{
		"metadata": {"x": 1},
		"operations": {"Get": {"http": {"method": "GET", "requestUri": "/a/{Z}?find=It", "responseCode": 200}, "input": {"shape": "In"}, "errors": [{"shape": "Oops"}]}},
		"shapes": {
			"In": {"type": "structure", "required": ["Z"], "members": {"Z": {"shape": "S", "location": "uri", "locationName": "Z"}, "A": {"shape": "L"}}},
			"L": {"type": "list", "member": {"shape": "S"}, "max": 3},
			"S": {"type": "string", "pattern": "a<b"},
			"Unused": {"type": "string"},
			"Oops": {"type": "structure", "members": {}, "error": {"httpStatusCode": 400}}
		}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"operations":[
{"name":"Get","method":"GET","path":"/a/{Z}","query":"find=It","status":200,"input":"In"}
],"shapes":{
"In":{"type":"structure","members":[{"name":"Z","shape":"S","in":"uri","required":true},{"name":"A","shape":"L"}]},
"L":{"type":"list","item":"S","max":3},
"Oops":{"type":"structure","status":400},
"S":{"type":"string","pattern":"a<b"}
}}
`
	if string(out) != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}
