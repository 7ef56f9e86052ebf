package sigv4_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/lambdaapi/sigv4"
)

var key = account.Key{AccessKeyID: keyID, Secret: secret, Account: owner, Active: true}

// A presigned URL is good for what it says and until it says.
func TestPresign(t *testing.T) {
	u := sigv4.Presign(request(t, http.MethodGet, "/hearth/v1/code/abc?b=2&a=1 1", nil), key, "eu-north-1", "lambda", noon, 10*time.Minute)
	get := func() *http.Request {
		return received(t, request(t, http.MethodGet, strings.TrimPrefix(u.String(), endpoint), nil))
	}
	if id, err := verifier(noon.Add(10*time.Minute)).Verify(get(), nil); err != nil || id != owner {
		t.Errorf("Verify = %q, %v", id, err)
	}
	id, err := verifier(noon.Add(10*time.Minute+time.Second)).Verify(get(), nil)
	refused(t, id, err, 403, sigv4.InvalidSignature, "Signature expired: 20261123T120000Z is now earlier than 20261123T120001Z (20261123T121001Z - 600 sec.)")
	r := get()
	r.Method = http.MethodDelete
	id, err = verifier(noon).Verify(r, nil)
	refused(t, id, err, 403, sigv4.InvalidSignature, "The request signature we calculated")
}

// Presign and AWS's client make the same URL.
func TestPresignAgreesWithAWSClient(t *testing.T) {
	r := request(t, http.MethodGet, "/hearth/v1/code/a%3Ab?X-Amz-Expires=600&b=2&a=%20", nil)
	want, _, err := v4.NewSigner().PresignHTTP(t.Context(), credentials, r, hash(nil), "lambda", "us-east-1", noon)
	if err != nil {
		t.Fatal(err)
	}
	got := sigv4.Presign(r, key, "us-east-1", "lambda", noon, 10*time.Minute)
	if signature(got.String()) != signature(want) {
		t.Errorf("\n%s, want\n%s", got, want)
	}
}

func signature(url string) string {
	_, s, _ := strings.Cut(url, "X-Amz-Signature=")
	return s
}

// Each parameter of a presigned URL must be there, once, and make sense.
func TestPresignedRefused(t *testing.T) {
	for _, c := range []struct {
		name             string
		replace, with    string
		status           int
		want, complaints string
	}{
		{"no signature", "&X-Amz-Signature=", "&x=", 400, sigv4.IncompleteSignature, "AWS query-string parameters must include 'X-Amz-Signature', once."},
		{"two signatures", "&X-Amz-Signature=", "&X-Amz-Signature=0&X-Amz-Signature=", 400, sigv4.IncompleteSignature, "AWS query-string parameters must include 'X-Amz-Signature', once."},
		{"no credential", "X-Amz-Credential=", "x=", 400, sigv4.IncompleteSignature, "AWS query-string parameters must include 'X-Amz-Credential', once."},
		{"no date", "X-Amz-Date=", "x=", 400, sigv4.IncompleteSignature, "AWS query-string parameters must include 'X-Amz-Date', once."},
		{"no headers", "X-Amz-SignedHeaders=", "x=", 400, sigv4.IncompleteSignature, "AWS query-string parameters must include 'X-Amz-SignedHeaders', once."},
		{"another algorithm", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", 400, sigv4.IncompleteSignature, "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'."},
		{"expires: a word", "X-Amz-Expires=600", "X-Amz-Expires=soon", 400, sigv4.IncompleteSignature, "X-Amz-Expires should be a number"},
		{"expires: never", "X-Amz-Expires=600", "X-Amz-Expires=0", 400, sigv4.IncompleteSignature, "X-Amz-Expires must be positive"},
		{"expires: over a week", "X-Amz-Expires=600", "X-Amz-Expires=604801", 400, sigv4.IncompleteSignature, "X-Amz-Expires must be less than a week (in seconds)"},
		{"expires: longer than signed", "X-Amz-Expires=600", "X-Amz-Expires=604800", 403, sigv4.InvalidSignature, "The request signature we calculated"},
		{"nothing signed at all", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential", "X-Amz-Target", 400, sigv4.IncompleteSignature, "AWS query-string parameters must include 'X-Amz-Algorithm', once."},
		{"an escape that is none", "&X-Amz-Signature=", "&a=%zz&X-Amz-Signature=", 400, sigv4.IncompleteSignature, "The query string can't be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := sigv4.Presign(request(t, http.MethodGet, "/hearth/v1/code/abc", nil), key, "us-east-1", "lambda", noon, 10*time.Minute)
			if !strings.Contains(u.RawQuery, c.replace) {
				t.Fatalf("no %s in %s", c.replace, u)
			}
			r := received(t, request(t, http.MethodGet, "/hearth/v1/code/abc", nil))
			r.URL.RawQuery = strings.Replace(u.RawQuery, c.replace, c.with, 1)
			id, err := verifier(noon).Verify(r, nil)
			refused(t, id, err, c.status, c.want, c.complaints)
		})
	}
}

// A parameter of AWS's is no signature yet.
func TestUnsignedQuery(t *testing.T) {
	r := received(t, request(t, http.MethodGet, "/?X-Amz-Date=20261123T120000Z", nil))
	id, err := verifier(noon).Verify(r, nil)
	refused(t, id, err, 403, sigv4.MissingAuthenticationToken, "Missing Authentication Token")
}

// Without X-Amz-Expires, which AWS's Go client leaves to its caller, a URL is
// good for as long as clocks may differ.
func TestPresignedWithoutExpires(t *testing.T) {
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), credentials, request(t, http.MethodGet, "/", nil), hash(nil), "lambda", "us-east-1", noon)
	if err != nil {
		t.Fatal(err)
	}
	r := received(t, request(t, http.MethodGet, strings.TrimPrefix(signed, endpoint), nil))
	if _, err := verifier(noon.Add(5*time.Minute)).Verify(r, nil); err != nil {
		t.Error(err)
	}
	id, err := verifier(noon.Add(5*time.Minute+time.Second)).Verify(r, nil)
	refused(t, id, err, 403, sigv4.InvalidSignature, "Signature expired")
}
