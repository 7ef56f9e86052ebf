package lambdaapi_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/invoke"
	"github.com/hearthd/hearth/internal/lambdaapi"
)

// What a request says about which revision may answer goes in by headers, and
// which one did comes out by headers.
func TestInvokeTellsOfDeployments(t *testing.T) {
	u := newTenant(t)
	u.create(t, "f", nil)
	const path = "/2015-03-31/functions/f/invocations"
	u.node.invoker.says(func(*invoke.Request) (*invoke.Response, error) {
		return &invoke.Response{Status: 200, Payload: []byte("1"), ExecutedVersion: "3", RevisionID: "r3", Stale: true}, nil
	})
	a := u.send(t, http.MethodPost, path, "{}", "X-Hearth-Update-Policy", "strict", "X-Hearth-Code-Sha256", "abc=")
	if asked := u.node.invoker.last(t); asked.UpdatePolicy != "strict" || asked.CodeSHA256 != "abc=" {
		t.Errorf("asked for %+v", asked)
	}
	if a.header.Get("X-Amz-Executed-Version") != "3" || a.header.Get("X-Hearth-Revision") != "r3" || a.header.Get("X-Hearth-Stale") != "true" {
		t.Errorf("answered with %v", a.header)
	}
	u.node.invoker.says(func(*invoke.Request) (*invoke.Response, error) {
		return nil, &invoke.Error{Kind: invoke.KindInvalidParameter, Message: "no such policy"}
	})
	if a := u.send(t, http.MethodPost, path, "{}"); a.status != http.StatusBadRequest || a.exception != "InvalidParameterValueException" || a.message != "no such policy" {
		t.Errorf("a bad policy: %d %s %s", a.status, a.exception, a.message)
	}
}

// refusal is what UpdateAlias is told while the alias moves.
type refusal struct{ err error }

func (r *refusal) AwaitMove(context.Context, function.Key, string, string) error { return r.err }

func TestUpdateAliasTellsWhyItDidNotMove(t *testing.T) {
	moves := &refusal{}
	u := start(t, func(o *lambdaapi.Options) { o.Moves = moves }).tenant(t, "tenant")
	u.create(t, "f", func(in *lambda.CreateFunctionInput) { in.Publish = true })
	_, err := u.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("$LATEST")})
	must(t, err)
	moves.err = &function.Error{Kind: function.Conflict, Message: "version 1 does not start"}
	body := `{"FunctionVersion":"1"}`
	if a := u.send(t, http.MethodPut, "/2015-03-31/functions/f/aliases/live", body); a.status != http.StatusConflict || a.message != "version 1 does not start" {
		t.Errorf("%d %s %s", a.status, a.exception, a.message)
	}
}
