package lambdaapi_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/hearthd/hearth/internal/function"
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

// The history says which key did what by which operation.
func TestHistoryKnowsItsAuthors(t *testing.T) {
	u := newTenant(t)
	u.create(t, "f", nil)
	_, err := u.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String("f")})
	must(t, err)
	history, err := u.node.catalog.History(t.Context(), function.Key{Account: u.id, Name: "f"})
	must(t, err)
	var got []function.Author
	for _, ch := range history {
		got = append(got, ch.Author)
	}
	by := func(operation string) function.Author {
		return function.Author{Account: u.id, AccessKeyID: u.key.AccessKeyID, Operation: operation}
	}
	if diff := cmp.Diff([]function.Author{by("CreateFunction"), {Operation: "CompleteUpdate"}, by("PublishVersion")}, got); diff != "" {
		t.Errorf("authors (-want +got):\n%s", diff)
	}
}
