package lambdaapi_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/hearthd/hearth/internal/lambdaapi"
)

func TestNativePathsLearnTheirCaller(t *testing.T) {
	n := start(t, func(o *lambdaapi.Options) {
		o.Native = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, ok := lambdaapi.AccountFrom(r.Context())
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %q %v %s", r.Method, r.URL.Path, id, ok, body)
		})
	})
	u := n.tenant(t, "tenant")
	for _, path := range []string{"/hearth/v1/accounts", "/metrics", "/hearth/healthz/x"} {
		if a := u.send(t, "POST", path, "the body"); a.body != fmt.Sprintf("POST %s %q true the body", path, u.id) {
			t.Errorf("%s: %+v", path, a)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.url+"/hearth/healthz", nil)
	must(t, err)
	if a := do(t, r); a.body != `GET /hearth/healthz "" false ` {
		t.Errorf("health: %+v", a)
	}
}
