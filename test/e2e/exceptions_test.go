package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
)

// Every refusal carries Lambda's exception, so that the SDK gives it its type,
// and Lambda's status.
func TestRefusalsAreLambdasExceptions(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "there", Publish: true})
	call := func(f func(context.Context, *lambda.Client) error) func() error {
		return func() error { return f(t.Context(), u.lambda) }
	}
	for _, c := range []struct {
		name    string
		call    func() error
		code    string
		status  int
		message string // a part of it
	}{
		{"get an unknown function", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("absent")})
			return err
		}), "ResourceNotFoundException", 404, "Function not found: arn:aws:lambda:us-east-1:" + u.account + ":function:absent"},
		{"invoke an unknown function", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("absent")})
			return err
		}), "ResourceNotFoundException", 404, "Function not found"},
		{"invoke an unknown version", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.Invoke(ctx, &lambda.InvokeInput{FunctionName: &f.name, Qualifier: aws.String("99")})
			return err
		}), "ResourceNotFoundException", 404, f.arn + ":99"},
		{"invoke an unknown alias", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.Invoke(ctx, &lambda.InvokeInput{FunctionName: &f.name, Qualifier: aws.String("nobody")})
			return err
		}), "ResourceNotFoundException", 404, ""},
		{"delete an unknown function", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("absent")})
			return err
		}), "ResourceNotFoundException", 404, ""},
		{"create what is there", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.CreateFunction(ctx, spec{Name: "there"}.input(t))
			return err
		}), "ResourceConflictException", 409, "Function already exist: there"},
		{"a bad name", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.CreateFunction(ctx, spec{Name: "no spaces please"}.input(t))
			return err
		}), "ValidationException", 400, "functionName"},
		{"an unknown runtime", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.CreateFunction(ctx, spec{Name: "new", Runtime: "cobol85"}.input(t))
			return err
		}), "InvalidParameterValueException", 400, "cobol85"},
		{"too little memory", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.CreateFunction(ctx, spec{Name: "new", Memory: 64}.input(t))
			return err
		}), "", 400, "memorySize"},
		{"too long a time-out", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.CreateFunction(ctx, spec{Name: "new", Timeout: 901}.input(t))
			return err
		}), "", 400, "timeout"},
		{"no zip", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.CreateFunction(ctx, spec{Name: "new", Code: []byte("this is no zip")}.input(t))
			return err
		}), "InvalidParameterValueException", 400, "unzip"},
		{"a stale revision", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &f.name, RevisionId: aws.String("3b1b1d9c-0000-4000-8000-000000000000")})
			return err
		}), "PreconditionFailedException", 412, "The Revision Id provided does not match the latest Revision Id"},
		{"a payload that is no JSON", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.Invoke(ctx, &lambda.InvokeInput{FunctionName: &f.name, Payload: []byte("{not json")})
			return err
		}), "InvalidRequestContentException", 400, ""},
		{"a payload over 6 MB", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.Invoke(ctx, &lambda.InvokeInput{FunctionName: &f.name, Payload: []byte(`"` + strings.Repeat("x", 6<<20) + `"`)})
			return err
		}), "RequestEntityTooLargeException", 413, "6291456"},
		{"more concurrency than there is", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: &f.name, ReservedConcurrentExecutions: aws.Int32(901)})
			return err
		}), "InvalidParameterValueException", 400, "UnreservedConcurrentExecution below its minimum value of [100]"},
		{"an alias to an unknown version", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: &f.name, Name: aws.String("live"), FunctionVersion: aws.String("99")})
			return err
		}), "ResourceNotFoundException", 404, ""},
		{"an unknown bucket", call(func(ctx context.Context, l *lambda.Client) error {
			in := spec{Name: "new"}.input(t)
			in.Code = &types.FunctionCode{S3Bucket: aws.String("no-such-bucket"), S3Key: aws.String("code.zip")}
			_, err := l.CreateFunction(ctx, in)
			return err
		}), "InvalidParameterValueException", 400, "S3"},
		{"the policy of a function without one", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: &f.name})
			return err
		}), "ResourceNotFoundException", 404, ""},
		{"tags of an unknown function", call(func(ctx context.Context, l *lambda.Client) error {
			_, err := l.ListTags(ctx, &lambda.ListTagsInput{Resource: aws.String(strings.Replace(f.arn, "there", "absent", 1))})
			return err
		}), "ResourceNotFoundException", 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.call()
			var api smithy.APIError
			if !errors.As(err, &api) {
				t.Fatalf("error %v, want %s", err, c.code)
			}
			if c.code != "" && api.ErrorCode() != c.code {
				t.Errorf("exception %s, want %s (%v)", api.ErrorCode(), c.code, err)
			}
			if !strings.Contains(api.ErrorMessage(), c.message) {
				t.Errorf("message %q has no %q", api.ErrorMessage(), c.message)
			}
			var response *awshttp.ResponseError
			if !errors.As(err, &response) || response.HTTPStatusCode() != c.status {
				t.Errorf("status %d, want %d", response.HTTPStatusCode(), c.status)
			}
		})
	}
}

// Requests that no SDK would send.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"a body that is no JSON", "POST", "/2015-03-31/functions", "{", 400, "InvalidRequestContentException"},
		{"a member of the wrong type", "POST", "/2015-03-31/functions", `{"FunctionName": 5}`, 400, ""},
		{"a missing member", "POST", "/2015-03-31/functions", `{"FunctionName": "x"}`, 400, ""},
		{"an unknown path", "GET", "/2015-03-31/dysfunctions", "", 404, ""},
		{"an unknown method", "PATCH", "/2015-03-31/functions/x", "", 405, ""},
		{"a number out of range", "GET", "/2015-03-31/functions?MaxItems=0", "", 400, "ValidationException"},
		{"not a number", "GET", "/2015-03-31/functions?MaxItems=many", "", 400, ""},
		{"an unknown invocation type", "POST", "/2015-03-31/functions/x/invocations", "", 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), c.method, u.node.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Amz-Invocation-Type", "Sideways")
			if err := u.key.Sign(t.Context(), request, []byte(c.body)); err != nil {
				t.Fatal(err)
			}
			status, kind, _ := send(t, request)
			if status != c.status && (c.status < 404 || status < 400 || status > 499) {
				t.Errorf("status %d, want %d", status, c.status)
			}
			if c.code != "" && kind != c.code {
				t.Errorf("exception %q, want %s", kind, c.code)
			}
		})
	}
}

// An operation that Hearth does not have yet says so by its name.
func TestOperationsToComeAnswer501(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	_, err := u.lambda.ListCapacityProviders(t.Context(), &lambda.ListCapacityProvidersInput{})
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.HTTPStatusCode() != http.StatusNotImplemented {
		t.Fatalf("%v, want status 501", err)
	}
	if !strings.Contains(err.Error(), "ListCapacityProviders") {
		t.Errorf("the error does not name the operation: %v", err)
	}
}

// fetch sends a request as it is and returns status and body.
func fetch(t testing.TB, request *http.Request) (int, string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// send sends a request as it is and returns status, exception and message.
func send(t testing.TB, request *http.Request) (status int, exception, message string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Message string } // "message" and "Message" alike
	if len(bytes.TrimSpace(body)) > 0 && response.StatusCode >= 400 {
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Errorf("the answer is no JSON: %.200s", body)
		}
	}
	exception, _, _ = strings.Cut(response.Header.Get("X-Amzn-Errortype"), ":")
	return response.StatusCode, exception, answer.Message
}
