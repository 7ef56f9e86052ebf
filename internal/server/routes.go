package server

import (
	_ "embed" // the API's description
	"net/http"
)

// description is the whole native API, in OpenAPI; a test holds it against the
// routes.
//
//go:embed openapi.yaml
var description []byte

// routes is a mux that knows which patterns it serves.
type routes struct {
	http.ServeMux
	patterns []string
}

// Handle is [http.ServeMux.Handle].
func (r *routes) Handle(pattern string, h http.Handler) {
	r.patterns = append(r.patterns, pattern)
	r.ServeMux.Handle(pattern, h)
}

// HandleFunc is [http.ServeMux.HandleFunc].
func (r *routes) HandleFunc(pattern string, f func(http.ResponseWriter, *http.Request)) {
	r.Handle(pattern, http.HandlerFunc(f))
}

func describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	w.Write(description)
}
