package lambdaapi

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/hearthd/hearth/internal/account"
)

// ServeAs is ServeHTTP for a request of the caller's, but for the check of its
// signature: what benchmarks hold this room to.
func (a *API) ServeAs(w http.ResponseWriter, r *http.Request, caller account.ID) error {
	id := uuid.NewString()
	w.Header()["X-Amzn-Requestid"] = []string{id}
	match, _ := a.model.Match(r.Method, r.URL.EscapedPath(), r.URL.RawQuery)
	limit, name := limitOf(match.Operation)
	body, err := readBody(r, limit, name)
	if err != nil {
		return err
	}
	return a.dispatch(w, r, &match, caller, id, body)
}
