package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/hearthd/hearth/test/testnode"
)

// describedAPI sends requests to a node's native API and fails the test where
// the request or the answer is not as the node's own description has it.
type describedAPI struct {
	node *testnode.Node
	key  testnode.Credentials
	doc  *openapi3.T
}

func newDescribedAPI(t testing.TB, u *tenant) *describedAPI {
	t.Helper()
	a := &describedAPI{node: u.node, key: u.key}
	body := a.fetch(t, http.MethodGet, "/hearth/v1/openapi.yaml", "")
	doc, err := openapi3.NewLoader().LoadFromData(body)
	if err != nil {
		t.Fatal(err)
	}
	a.doc = doc
	return a
}

func (a *describedAPI) request(t testing.TB, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, a.node.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if err := a.key.Sign(t.Context(), r, []byte(body)); err != nil {
		t.Fatal(err)
	}
	return r
}

func (a *describedAPI) fetch(t testing.TB, method, path, body string) []byte {
	t.Helper()
	response, err := http.DefaultClient.Do(a.request(t, method, path, body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if a.doc == nil {
		return content
	}
	a.doc.Servers = openapi3.Servers{{URL: a.node.URL}}
	router, err := legacy.NewRouter(a.doc)
	if err != nil {
		t.Fatal(err)
	}
	sent := a.request(t, method, path, body)
	route, parameters, err := router.FindRoute(sent)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	input := &openapi3filter.RequestValidationInput{
		Request: sent, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: func(context.Context, *openapi3filter.AuthenticationInput) error { return nil }},
	}
	if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
		t.Errorf("%s %s: the request is not as described: %v", method, path, err)
	}
	if !strings.Contains(response.Header.Get("Content-Type"), "json") || strings.Contains(response.Header.Get("Content-Type"), "ndjson") {
		return content
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.StatusCode, Header: response.Header, Body: io.NopCloser(bytes.NewReader(content)),
		Options: input.Options,
	})
	if err != nil {
		t.Errorf("%s %s: the answer %s is not as described: %v", method, path, content, err)
	}
	return content
}

// The native API's answers are as its description says.
func TestAnswersAreAsDescribed(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.released(t, "described", answers(t, "two"))
	f.invoke(t, nil)
	a := newDescribedAPI(t, u)
	a.fetch(t, http.MethodPost, "/hearth/v1/rollouts", `{"function":"described","alias":"live","strategy":"canary10percent1hour","preHook":"described:1","guards":[{"metric":"p99","margin":0.02,"ratio":2}]}`)
	f.rolloutReaches(t, func(r rollout) bool { return r.Percent == 10 })
	for _, path := range []string{"pause", "resume", "abort"} {
		a.fetch(t, http.MethodPost, "/hearth/v1/rollouts/described.live.1/"+path, "")
	}
	for _, path := range []string{
		"ps", "runtimes", "version", "rollouts", "rollouts?function=described&alias=live", "rollouts/described.live.1", "rollouts/described.live.9",
		"logs/described?limit=3",
	} {
		a.fetch(t, http.MethodGet, "/hearth/v1/"+path, "")
	}
	root := newDescribedAPI(t, &tenant{node: u.node, key: u.node.Root})
	for _, path := range []string{"accounts", "accounts/" + u.account + "/keys"} {
		root.fetch(t, http.MethodGet, "/hearth/v1/"+path, "")
	}
}
