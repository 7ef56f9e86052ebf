package e2e

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/hearthd/hearth/test/testnode"
)

const emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Requests are signed by a known key, at about this time, or refused with the
// exception that AWS has for the case.
func TestSignaturesAreChecked(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	good := aws.Credentials{AccessKeyID: u.key.AccessKeyID, SecretAccessKey: u.key.Secret}
	signed := func(c aws.Credentials, at time.Time, change func(*http.Request)) func(*http.Request) {
		return func(r *http.Request) {
			if err := v4.NewSigner().SignHTTP(t.Context(), c, r, emptyPayload, "lambda", testnode.Region, at); err != nil {
				t.Fatal(err)
			}
			if change != nil {
				change(r)
			}
		}
	}
	for _, c := range []struct {
		name      string
		sign      func(*http.Request)
		status    int
		exception string
	}{
		{"signed", signed(good, time.Now(), nil), 200, ""},
		{"unsigned", func(*http.Request) {}, 403, "MissingAuthenticationTokenException"},
		{"an unknown key", signed(aws.Credentials{AccessKeyID: "AKIAAAAAAAAAAAAAAAAA", SecretAccessKey: u.key.Secret}, time.Now(), nil), 403, "UnrecognizedClientException"},
		{"a wrong secret", signed(aws.Credentials{AccessKeyID: u.key.AccessKeyID, SecretAccessKey: strings.Repeat("x", 40)}, time.Now(), nil), 403, "InvalidSignatureException"},
		{"a changed query", signed(good, time.Now(), func(r *http.Request) { r.URL.RawQuery = "MaxItems=7" }), 403, "InvalidSignatureException"},
		{"a clock ten minutes behind", signed(good, time.Now().Add(-10*time.Minute), nil), 403, "InvalidSignatureException"},
		{"a clock ten minutes ahead", signed(good, time.Now().Add(10*time.Minute), nil), 403, "InvalidSignatureException"},
		{"half a header", func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+u.key.AccessKeyID)
		}, 400, "IncompleteSignatureException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.node.URL+"/2015-03-31/functions", nil)
			if err != nil {
				t.Fatal(err)
			}
			c.sign(request)
			status, exception, message := send(t, request)
			if status != c.status || exception != c.exception {
				t.Errorf("%d %s %q, want %d %s", status, exception, message, c.status, c.exception)
			}
		})
	}
}

// A signature covers the body.
func TestAChangedBodyIsRefused(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "signed"})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u.node.URL+"/2015-03-31/functions/signed/invocations", strings.NewReader(`{"pay": 1000}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.key.Sign(t.Context(), request, []byte(`{"pay": 1}`)); err != nil {
		t.Fatal(err)
	}
	if status, exception, _ := send(t, request); status != 403 || exception != "InvalidSignatureException" {
		t.Errorf("%d %s, want 403 InvalidSignatureException", status, exception)
	}
}

// A presigned URL invokes a function until it expires, whoever holds it.
func TestPresignedInvocation(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "presigned"})
	presign := func(at time.Time, payload string, expires string) string {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u.node.URL+"/2015-03-31/functions/"+f.name+"/invocations?X-Amz-Expires="+expires, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := aws.Credentials{AccessKeyID: u.key.AccessKeyID, SecretAccessKey: u.key.Secret}
		signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), c, request, payload, "lambda", testnode.Region, at)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	for _, c := range []struct {
		name, url, body string
		status          int
	}{
		{"any body", presign(time.Now(), "UNSIGNED-PAYLOAD", "60"), `{"n": 1}`, 200},
		{"the empty body that was signed", presign(time.Now(), emptyPayload, "60"), "", 200},
		{"expired", presign(time.Now().Add(-2*time.Minute), "UNSIGNED-PAYLOAD", "60"), `{"n": 1}`, 403},
		{"another function", strings.Replace(presign(time.Now(), "UNSIGNED-PAYLOAD", "60"), f.name, "other", 1), `{"n": 1}`, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := url.Parse(c.url); err != nil {
				t.Fatal(err)
			}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if status, exception, message := send(t, request); status != c.status {
				t.Errorf("%d %s %s, want %d", status, exception, message, c.status)
			}
		})
	}
}

// An account sees, changes and invokes its own functions only, by name or by ARN.
func TestAccountsSeeNothingOfEachOther(t *testing.T) {
	t.Parallel()
	mine, yours := newTenant(t), newTenant(t)
	f := mine.create(t, spec{Name: "private", Env: map[string]string{"SECRET": "hearthstone"}})
	same := yours.create(t, spec{Name: "private", Handler: "main.handler", Code: answers(t, "yours")})

	listed, err := yours.lambda.ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
	if err != nil {
		t.Fatal(err)
	}
	if len(listed.Functions) != 1 || *listed.Functions[0].FunctionArn != same.arn {
		t.Errorf("the other account lists %d functions", len(listed.Functions))
	}
	for name, call := range map[string]func() error{
		"get": func() error {
			_, err := yours.lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: &f.arn})
			return err
		},
		"invoke": func() error {
			_, err := yours.lambda.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &f.arn})
			return err
		},
		"delete": func() error {
			_, err := yours.lambda.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: &f.arn})
			return err
		},
		"tag": func() error {
			_, err := yours.lambda.TagResource(t.Context(), &lambda.TagResourceInput{Resource: &f.arn, Tags: map[string]string{"a": "b"}})
			return err
		},
	} {
		err := call()
		if err == nil {
			t.Errorf("the other account may %s by ARN", name)
		} else if strings.Contains(err.Error(), "hearthstone") {
			t.Errorf("%s: the refusal tells a secret: %v", name, err)
		}
	}
	var missing *types.ResourceNotFoundException
	if _, err := yours.lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("never")}); !errors.As(err, &missing) {
		t.Errorf("a function that nobody has: %v", err)
	}
	var who []string
	same.answer(t, nil, &who)
	if who[0] != "yours" {
		t.Errorf("the other account's function of the same name answers %v", who)
	}
}

// A permission lets another account do what it names, and nothing else.
func TestPermissionsForAnotherAccount(t *testing.T) {
	t.Parallel()
	mine, yours := newTenant(t), newTenant(t)
	f := mine.create(t, spec{Name: "lent"})
	invoke := func() error {
		_, err := yours.lambda.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &f.arn, Payload: []byte("1")})
		return err
	}
	var denied smithy.APIError
	if err := invoke(); !errors.As(err, &denied) || denied.ErrorCode() != "AccessDeniedException" {
		t.Errorf("without a permission: %v", err)
	}
	if _, err := mine.lambda.AddPermission(t.Context(), &lambda.AddPermissionInput{
		FunctionName: &f.name, StatementId: aws.String("friend"), Action: aws.String("lambda:InvokeFunction"), Principal: &yours.account,
	}); err != nil {
		t.Fatal(err)
	}
	if err := invoke(); err != nil {
		t.Errorf("with a permission: %v", err)
	}
	if _, err := yours.lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: &f.arn}); !errors.As(err, &denied) || denied.ErrorCode() != "AccessDeniedException" {
		t.Errorf("a permission to invoke is none to read: %v", err)
	}
	if _, err := mine.lambda.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: &f.name, StatementId: aws.String("friend")}); err != nil {
		t.Fatal(err)
	}
	if err := invoke(); !errors.As(err, &denied) || denied.ErrorCode() != "AccessDeniedException" {
		t.Errorf("after the permission was taken back: %v", err)
	}
}

// A deleted key opens nothing any more.
func TestKeysCanBeTakenBack(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	if _, err := u.lambda.ListFunctions(t.Context(), &lambda.ListFunctionsInput{}); err != nil {
		t.Fatal(err)
	}
	fresh := struct{ AccessKeyID, SecretAccessKey string }{}
	if err := u.node.Native(t.Context(), u.node.Root, http.MethodPost, "/hearth/v1/accounts/"+u.account+"/keys", nil, &fresh); err != nil {
		t.Fatal(err)
	}
	if err := u.node.DeleteKey(t.Context(), u.account, u.key); err != nil {
		t.Fatal(err)
	}
	_, err := u.lambda.ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
	if err == nil || !strings.Contains(err.Error(), "UnrecognizedClientException") {
		t.Errorf("after the key was deleted: %v", err)
	}
	second := u.node.Lambda(testnode.Credentials{AccessKeyID: fresh.AccessKeyID, Secret: fresh.SecretAccessKey})
	if _, err := second.ListFunctions(t.Context(), &lambda.ListFunctionsInput{}); err != nil {
		t.Errorf("by the account's other key: %v", err)
	}
}
