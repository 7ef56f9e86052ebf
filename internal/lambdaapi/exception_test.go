package lambdaapi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/invoke"
	"github.com/hearthd/hearth/internal/lambdaapi"
	"github.com/hearthd/hearth/internal/lambdaapi/model"
)

// refusedWith checks an error of the SDK.
func refusedWith(t testing.TB, err error, exception string, status int, message string) {
	t.Helper()
	var api smithy.APIError
	var response *awshttp.ResponseError
	if !errors.As(err, &api) || !errors.As(err, &response) {
		t.Fatalf("%v, want %s", err, exception)
	}
	if api.ErrorCode() != exception || response.HTTPStatusCode() != status || !strings.Contains(api.ErrorMessage(), message) {
		t.Errorf("%d %s: %s\nwant %d %s: %s", response.HTTPStatusCode(), api.ErrorCode(), api.ErrorMessage(), status, exception, message)
	}
}

// The SDK gives every exception that the API declares its own type.
func TestExceptionsHaveTheirTypes(t *testing.T) {
	u := newTenant(t)
	u.create(t, "f", nil)
	name := aws.String("f")
	for _, c := range []struct {
		fails error
		as    any
	}{
		{&invoke.Error{Kind: invoke.KindThrottled, Message: "Rate Exceeded.", Reason: "ReservedFunctionConcurrentInvocationLimitExceeded", RetryAfter: 1500 * time.Millisecond}, new(*types.TooManyRequestsException)},
		{&invoke.Error{Kind: invoke.KindNotFound}, new(*types.ResourceNotFoundException)},
		{&invoke.Error{Kind: invoke.KindNotReady}, new(*types.ResourceConflictException)},
		{&invoke.Error{Kind: invoke.KindInvalidContent}, new(*types.InvalidRequestContentException)},
		{&invoke.Error{Kind: invoke.KindInvalidRuntime}, new(*types.InvalidRuntimeException)},
		{&invoke.Error{Kind: invoke.KindNoCapacity}, new(*types.ServiceException)},
		{&invoke.Error{Kind: invoke.KindInternal}, new(*types.ServiceException)},
		{fmt.Errorf("anything else"), new(*types.ServiceException)},
	} {
		u.node.invoker.says(func(*invoke.Request) (*invoke.Response, error) { return nil, c.fails })
		if _, err := u.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: name}); !errors.As(err, c.as) {
			t.Errorf("%v arrives as %v", c.fails, err)
		}
	}
	u.node.invoker.says(func(*invoke.Request) (*invoke.Response, error) {
		return nil, &invoke.Error{Kind: invoke.KindThrottled, Message: "Rate Exceeded.", Reason: "ConcurrentInvocationLimitExceeded", RetryAfter: 1500 * time.Millisecond}
	})
	_, err := u.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: name})
	var throttled *types.TooManyRequestsException
	if !errors.As(err, &throttled) || throttled.Reason != types.ThrottleReasonConcurrentInvocationLimitExceeded || *throttled.RetryAfterSeconds != "2" || *throttled.Type != "User" {
		t.Errorf("throttled: %+v", throttled)
	}
	a := u.send(t, "POST", "/2015-03-31/functions/f/invocations", "")
	if want := `{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}`; a.body != want || a.status != 429 {
		t.Errorf("%d %s, want %s", a.status, a.body, want)
	}
}

// Hearth's own failures are logged under the request's id, and say nothing else.
func TestInternalErrorsAreLoggedNotTold(t *testing.T) {
	var log bytes.Buffer
	n := start(t, func(o *lambdaapi.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	u := n.tenant(t, "tenant")
	u.create(t, "f", nil)
	n.invoker.says(func(*invoke.Request) (*invoke.Response, error) { return nil, errors.New("the disk is on fire") })
	a := u.send(t, "POST", "/2015-03-31/functions/f/invocations", "{}")
	id := a.header.Get("X-Amzn-Requestid")
	if a.status != 500 || a.exception != "ServiceException" || !strings.Contains(a.message, id) || strings.Contains(a.body, "fire") {
		t.Errorf("answer %+v", a)
	}
	if !strings.Contains(log.String(), "the disk is on fire") || !strings.Contains(log.String(), id) {
		t.Errorf("log %s", &log)
	}
	log.Reset()
	n.invoker.says(func(*invoke.Request) (*invoke.Response, error) { return nil, context.Canceled })
	if a := u.send(t, "POST", "/2015-03-31/functions/f/invocations", "{}"); a.status != 500 || log.Len() > 0 {
		t.Errorf("a caller that went away: %+v, %s", a, &log)
	}
}

// Every operation that is not at work yet is validated all the same, and then
// says so by its name.
func TestOperationsToCome(t *testing.T) {
	u := newTenant(t)
	u.create(t, "f", nil)
	_, err := u.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{FunctionName: aws.String("f"), EventSourceArn: aws.String("arn:aws:sqs:us-east-1:123456789012:q")})
	refusedWith(t, err, "InvalidRequestException", 501, "CreateEventSourceMapping")
	_, err = u.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{FunctionName: aws.String("f"), BatchSize: aws.Int32(0)})
	refusedWith(t, err, "ValidationException", 400, "batchSize")
	_, err = u.PutFunctionEventInvokeConfig(t.Context(), &lambda.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("f"), MaximumRetryAttempts: aws.Int32(3)})
	refusedWith(t, err, "ValidationException", 400, "Value '3' at 'maximumRetryAttempts' failed to satisfy constraint: Member must have value less than or equal to 2")

	for _, op := range model.Lambda().Operations {
		path := strings.NewReplacer("{FunctionName}", "f", "{VersionNumber}", "1", "{CodeSigningConfigArn}", "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Acode-signing-config%3Acsc-0123456789abcdef0",
			"{DurableExecutionArn}", "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af%3A1%2Fdurable-execution%2Fa%2Fb", "{Resource}", "x", "{CallbackId}", "aa",
			"{LayerName}", "l", "{UUID}", "u", "{Name}", "a", "{StatementId}", "s", "{CapacityProviderName}", "c").Replace(op.Path)
		body := ""
		if op.Method != "GET" && op.Method != "DELETE" {
			body = "{}"
		}
		a := u.send(t, op.Method, path+"?"+op.Query, body)
		switch {
		case a.status < 300, a.status == 501 && strings.Contains(a.message, op.Name), a.status >= 400 && a.status < 500:
		default:
			t.Errorf("%s: %d %s", op.Name, a.status, a.body)
		}
		if op.Name == "DeleteFunction" {
			u.create(t, "f", nil)
		}
	}
}

func TestMalformedRequests(t *testing.T) {
	u := newTenant(t)
	u.create(t, "f", nil)
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		exception, message       string
	}{
		{"no JSON", "POST", "/2015-03-31/functions", "{", 400, "InvalidRequestContentException", "Could not parse request body into json: "},
		{"a wrong type", "POST", "/2015-03-31/functions", `{"FunctionName": 5}`, 400, "SerializationException", "NUMBER_VALUE can not be converted to a String"},
		{"absent members", "POST", "/2015-03-31/functions", `{"FunctionName": "x"}`, 400, "ValidationException", "2 validation errors detected: Value null at 'role' failed to satisfy constraint: Member must not be null; Value null at 'code' failed"},
		{"an unknown path", "GET", "/2015-03-31/dysfunctions", "", 404, "UnknownOperationException", "GET /2015-03-31/dysfunctions"},
		{"an unknown method", "PATCH", "/2015-03-31/functions/f", "", 404, "UnknownOperationException", "PATCH"},
		{"a number out of range", "GET", "/2015-03-31/functions?MaxItems=0", "", 400, "ValidationException", "Value '0' at 'maxItems'"},
		{"no number", "GET", "/2015-03-31/functions?MaxItems=many", "", 400, "SerializationException", "STRING_VALUE can not be converted to an Integer"},
		{"an empty name", "GET", "/2015-03-31/functions//configuration", "", 400, "ValidationException", "Value '' at 'functionName' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"a short variable name", "PUT", "/2015-03-31/functions/f/configuration", `{"Environment":{"Variables":{"a":"hearthstone"}}}`, 400, "ValidationException", "1 validation error detected: Value at 'environment.variables' failed"},
		{"a body too large", "PUT", "/2015-03-31/functions/f/configuration", strings.Repeat(" ", 6<<20+1), 413, "RequestEntityTooLargeException", "Request must be smaller than 6291456 bytes for the UpdateFunctionConfiguration operation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := u.send(t, c.method, c.path, c.body)
			if a.status != c.status || a.exception != c.exception || !strings.Contains(a.message, c.message) {
				t.Errorf("%d %s: %s\nwant %d %s: %s", a.status, a.exception, a.message, c.status, c.exception, c.message)
			}
		})
	}
}

func TestSignaturesAreChecked(t *testing.T) {
	u := newTenant(t)
	stranger := account.Key{AccessKeyID: "AKIAAAAAAAAAAAAAAAAA", Secret: u.key.Secret}
	forger := account.Key{AccessKeyID: u.key.AccessKeyID, Secret: strings.Repeat("x", 40)}
	for _, c := range []struct {
		name      string
		key       *account.Key
		body      string
		exception string
	}{
		{"unsigned", nil, "", "MissingAuthenticationTokenException"},
		{"an unknown key", &stranger, "", "UnrecognizedClientException"},
		{"a wrong secret", &forger, "", "InvalidSignatureException"},
		{"unsigned and large", nil, strings.Repeat(" ", 1<<20), "MissingAuthenticationTokenException"},
		{"an unknown key and large", &stranger, strings.Repeat(" ", 1<<20), "UnrecognizedClientException"},
		{"a wrong secret and large", &forger, strings.Repeat(" ", 1<<20), "InvalidSignatureException"},
	} {
		for _, path := range []string{"/2015-03-31/functions", "/2015-03-31/dysfunctions", "/hearth/v1/ps", "/metrics"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u.node.url+path, strings.NewReader(c.body))
			must(t, err)
			if c.key != nil {
				sign(t, r, *c.key, c.body)
			}
			if a := do(t, r); a.exception != c.exception || a.status != 403 {
				t.Errorf("%s, %s: %d %s", c.name, path, a.status, a.body)
			}
		}
	}
}

// TestForgeriesAreRefusedBeforeTheirBodies: who can't sign can't make the node
// read, let alone hold, a large body.
func TestForgeriesAreRefusedBeforeTheirBodies(t *testing.T) {
	u := newTenant(t)
	const size = 40 << 20
	sum := sha256.Sum256([]byte("a body"))
	for _, c := range []struct {
		name      string
		key       account.Key
		declared  string
		exception string
	}{
		{"an unknown key", account.Key{AccessKeyID: "AKIAAAAAAAAAAAAAAAAA", Secret: u.key.Secret}, "", "UnrecognizedClientException"},
		{"an unknown key, hashed", account.Key{AccessKeyID: "AKIAAAAAAAAAAAAAAAAA", Secret: u.key.Secret}, hex.EncodeToString(sum[:]), "UnrecognizedClientException"},
		{"a wrong secret, hashed", account.Key{AccessKeyID: u.key.AccessKeyID, Secret: strings.Repeat("x", 40)}, hex.EncodeToString(sum[:]), "InvalidSignatureException"},
		{"a wrong secret, unsigned payload", account.Key{AccessKeyID: u.key.AccessKeyID, Secret: strings.Repeat("x", 40)}, "UNSIGNED-PAYLOAD", "InvalidSignatureException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body, never := io.Pipe()
			defer never.Close()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u.node.url+"/2015-03-31/functions", body)
			must(t, err)
			r.ContentLength = size
			payload := hex.EncodeToString(sum[:])
			if c.declared != "" {
				r.Header.Set("X-Amz-Content-Sha256", c.declared)
				payload = c.declared
			}
			must(t, v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: c.key.AccessKeyID, SecretAccessKey: c.key.Secret}, r, payload, "lambda", region, time.Now()))
			if a := do(t, r); a.exception != c.exception || a.status != 403 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}
