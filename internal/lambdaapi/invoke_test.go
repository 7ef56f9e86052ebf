package lambdaapi_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hearthd/hearth/internal/invoke"
)

func TestInvoke(t *testing.T) {
	u := newTenant(t)
	u.create(t, "f", nil)
	u.node.invoker.says(func(r *invoke.Request) (*invoke.Response, error) {
		return &invoke.Response{Status: 200, Payload: []byte(`{"errorMessage":"no"}`), FunctionError: "Unhandled", Tail: []byte("START\n"), ExecutedVersion: "7", RevisionID: "abc", Cold: true, Memory: 256, Suggested: 512}, nil
	})
	clientContext := base64.StdEncoding.EncodeToString([]byte(`{"custom":{}}`))
	out, err := u.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{"a":1}`), LogType: types.LogTypeTail, ClientContext: &clientContext})
	must(t, err)
	if out.StatusCode != 200 || string(out.Payload) != `{"errorMessage":"no"}` || *out.FunctionError != "Unhandled" || *out.ExecutedVersion != "7" || *out.LogResult != "U1RBUlQK" {
		t.Errorf("answer %+v", out)
	}
	want := &invoke.Request{Account: u.id, Name: "f", Payload: []byte(`{"a":1}`), ClientContext: clientContext, Tail: true}
	got := u.node.invoker.last(t)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(invoke.Request{}, "RequestID")); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}

	a := u.send(t, "POST", "/2015-03-31/functions/f/invocations", `"x"`, "X-Amzn-Trace-Id", "Root=1-x", "X-Hearth-Memory-Size", "300")
	if u.node.invoker.last(t).MemorySize != "300" {
		t.Errorf("memory %+v", u.node.invoker.last(t))
	}
	if a.header.Get("X-Amzn-Requestid") != u.node.invoker.last(t).RequestID || u.node.invoker.last(t).TraceID != "Root=1-x" {
		t.Errorf("ids: %v, %+v", a.header, u.node.invoker.last(t))
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "X-Hearth-Start": "cold", "X-Hearth-Revision": "abc", "X-Hearth-Effective-Memory": "256", "X-Hearth-Suggested-Memory": "512", "X-Amzn-Remapped-Content-Length": "0", "Content-Length": "21"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// A function can be named in all of Lambda's ways, and they all mean the same.
func TestInvokeByEveryName(t *testing.T) {
	u := newTenant(t)
	u.create(t, "f", func(in *lambda.CreateFunctionInput) { in.Publish = true })
	_, err := u.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")})
	must(t, err)
	id := string(u.id)
	for _, c := range []struct{ name, qualifier, want string }{
		{"f", "", ""},
		{"f", "$LATEST", "$LATEST"},
		{"f", "1", "1"},
		{"f", "live", "live"},
		{"f", "nobody", "nobody"},
		{"f:live", "", "live"},
		{"f:live", "live", "live"},
		{"f:$LATEST", "", "$LATEST"},
		{"function:f", "", ""},
		{id + ":f", "", ""},
		{id + ":function:f", "", ""},
		{id + ":function:f:1", "", "1"},
		{"us-east-1:" + id + ":function:f:1", "", "1"},
		{"arn:aws:lambda:us-east-1:" + id + ":function:f", "", ""},
		{"arn:aws:lambda:us-east-1:" + id + ":function:f", "live", "live"},
		{"arn:aws:lambda:us-east-1:" + id + ":function:f:live", "", "live"},
	} {
		in := &lambda.InvokeInput{FunctionName: &c.name}
		if c.qualifier != "" {
			in.Qualifier = &c.qualifier
		}
		if _, err := u.Invoke(t.Context(), in); err != nil {
			t.Errorf("%s, %q: %v", c.name, c.qualifier, err)
			continue
		}
		if got := u.node.invoker.last(t); got.Account != u.id || got.Name != "f" || got.Qualifier != c.want || string(got.Payload) != "{}" {
			t.Errorf("%s, %q: invoked %+v", c.name, c.qualifier, got)
		}
	}
	_, err = u.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f:live"), Qualifier: aws.String("1")})
	refusedWith(t, err, "InvalidParameterValueException", 400, "The derived qualifier from the function name does not match the specified qualifier.")
}

func TestInvocationTypes(t *testing.T) {
	u := newTenant(t)
	u.create(t, "f", nil)
	out, err := u.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: types.InvocationTypeDryRun})
	must(t, err)
	if out.StatusCode != 204 || !u.node.invoker.last(t).DryRun {
		t.Errorf("a dry run answers %d", out.StatusCode)
	}
	_, err = u.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: types.InvocationTypeEvent})
	refusedWith(t, err, "InvalidRequestException", 501, "InvocationType Event")
	_, err = u.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: "Sideways"})
	refusedWith(t, err, "ValidationException", 400, "Value 'Sideways' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]")
	_, err = u.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), LogType: "Head"})
	refusedWith(t, err, "ValidationException", 400, "logType")
	_, err = u.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), TenantId: aws.String("t")})
	refusedWith(t, err, "InvalidRequestException", 501, "TenantId")
	_, err = u.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), DurableExecutionName: aws.String("d")})
	refusedWith(t, err, "InvalidRequestException", 501, "DurableExecutionName")
}

func TestPayloads(t *testing.T) {
	u := newTenant(t)
	u.create(t, "f", nil)
	largest := `"` + strings.Repeat("x", 6<<20-2) + `"`
	for _, payload := range []string{"null", "0", ` {"a":[]} `, largest} {
		out, err := u.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(payload)})
		if err != nil || string(out.Payload) != payload {
			t.Errorf("a payload of %d bytes: %v", len(payload), err)
		}
	}
	_, err := u.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(largest + " ")})
	refusedWith(t, err, "RequestEntityTooLargeException", 413, "Request must be smaller than 6291456 bytes for the InvokeFunction operation")
	_, err = u.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte("{not json")})
	refusedWith(t, err, "InvalidRequestContentException", 400, "Could not parse request body into json: ")

	// Without a length: in chunks.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u.node.url+"/2015-03-31/functions/f/invocations", struct{ *strings.Reader }{strings.NewReader(`{"n":1}`)})
	must(t, err)
	sign(t, r, u.key, `{"n":1}`)
	if a := do(t, r); a.body != `{"n":1}` {
		t.Errorf("in chunks: %+v", a)
	}
	r, err = http.NewRequestWithContext(t.Context(), http.MethodPost, u.node.url+"/2015-03-31/functions/f/invocations", struct{ *strings.Reader }{strings.NewReader(largest + " ")})
	must(t, err)
	sign(t, r, u.key, largest+" ")
	if a := do(t, r); a.status != 413 {
		t.Errorf("in too many chunks: %d %s", a.status, a.message)
	}
}

// A URL that is signed invokes, in the way of what is not plain.
func TestInvokeNamesThatAreNotPlain(t *testing.T) {
	u := newTenant(t)
	u.create(t, "f", nil)
	for path, want := range map[string]int{
		"/2015-03-31/functions/f/invocations?Qualifier=$LATEST":       200,
		"/2015-03-31/functions/f/invocations?Qualifier=%24LATEST":     200,
		"/2015-03-31/functions/f/invocations?Qualifier=%24LATEST&x=y": 200,
		"/2015-03-31/functions/f/invocations/":                        200,
		"/2015-03-31/functions/%66/invocations":                       200,
		"/2015-03-31/functions/f/invocations?Qualifier=":              400,
		"/2015-03-31/functions/f/invocations?Qualifier=a%20b":         400,
		"/2015-03-31/functions//invocations":                          400,
		"/2015-03-31/functions/no%20spaces/invocations":               400,
	} {
		if a := u.send(t, "POST", path, "{}"); a.status != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}
