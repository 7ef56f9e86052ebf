package sigv4_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/lambdaapi/sigv4"
)

const (
	keyID    = "AKIAIOSFODNN7EXAMPLE"
	secret   = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	owner    = account.ID("123456789012")
	endpoint = "http://127.0.0.1:9400"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// What AWS's client signs is taken, and whose key it was is told.
func TestVerify(t *testing.T) {
	body := []byte(`{"n": 1}`)
	r := request(t, http.MethodPost, "/2015-03-31/functions/echo/invocations?Qualifier=live", body)
	sign(t, r, body, noon)
	id, err := verifier(noon).Verify(received(t, r), body)
	if err != nil || id != owner {
		t.Fatalf("Verify = %q, %v", id, err)
	}
}

// A signature is for one request, at one time, by one key.
func TestVerifyRefuses(t *testing.T) {
	const mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	authorization := func(replace ...string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.NewReplacer(replace...).Replace(r.Header.Get("Authorization")))
		}
	}
	for _, c := range []struct {
		name    string
		change  func(*http.Request)
		status  int
		want    string // exception
		message string // its beginning
	}{
		{"no signature", func(r *http.Request) { r.Header.Del("Authorization") }, 403, sigv4.MissingAuthenticationToken, "Missing Authentication Token"},
		{"unknown key", authorization(keyID, "AKIAI000000000000000"), 403, sigv4.UnrecognizedClient, "The security token included in the request is invalid."},
		{"changed method", func(r *http.Request) { r.Method = "PUT" }, 403, sigv4.InvalidSignature, mismatch},
		{"changed path", func(r *http.Request) { r.URL.Path, r.RequestURI = "/other", "/other" }, 403, sigv4.InvalidSignature, mismatch},
		{"changed query", func(r *http.Request) { r.URL.RawQuery = "Qualifier=other" }, 403, sigv4.InvalidSignature, mismatch},
		{"escape that is none", func(r *http.Request) { r.URL.RawQuery += "&a=%zz" }, 403, sigv4.InvalidSignature, mismatch},
		{"changed host", func(r *http.Request) { r.Host = "example.com" }, 403, sigv4.InvalidSignature, mismatch},
		{"changed signed header", func(r *http.Request) { r.Header.Set("X-Amz-Log-Type", "Tail") }, 403, sigv4.InvalidSignature, mismatch},
		{"one more value of a signed header", func(r *http.Request) { r.Header.Add("X-Amz-Log-Type", "Tail") }, 403, sigv4.InvalidSignature, mismatch},
		{"added x-amz header", func(r *http.Request) { r.Header.Set("X-Amz-Client-Context", "e30=") }, 403, sigv4.InvalidSignature,
			"'X-Amz-Client-Context' must be a 'SignedHeader' in the AWS Authorization."},
		{"host not signed", authorization("host;", ""), 403, sigv4.InvalidSignature, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{"changed signature", authorization("Signature=", "Signature=0"), 403, sigv4.InvalidSignature, mismatch},
		{"another day", authorization("/20261123/", "/20261122/"), 403, sigv4.InvalidSignature,
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261122' != '20261123', from '20261123T120000Z'."},
		{"another region", authorization("/us-east-1/", "/us-east-2/"), 403, sigv4.InvalidSignature, mismatch},
		{"no region", authorization("/us-east-1/", "//"), 403, sigv4.InvalidSignature, "Credential should be scoped to a valid region, not ''."},
		{"no service", authorization("/lambda/", "//"), 403, sigv4.InvalidSignature, "Credential should be scoped to correct service."},
		{"another terminator", authorization("aws4_request", "aws5_request"), 403, sigv4.InvalidSignature,
			"Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."},
		{"credential cut short", authorization("/aws4_request", ""), 400, sigv4.IncompleteSignature,
			"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIAIOSFODNN7EXAMPLE/20261123/us-east-1/lambda'"},
		{"another algorithm", authorization("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), 400, sigv4.IncompleteSignature,
			"Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'."},
		{"basic authentication", func(r *http.Request) { r.SetBasicAuth("user", "password") }, 400, sigv4.IncompleteSignature, "Unsupported AWS 'algorithm': 'Basic'."},
		{"two headers", func(r *http.Request) { r.Header.Add("Authorization", "Bearer x") }, 400, sigv4.IncompleteSignature, "The request has 2 Authorization headers."},
		{"parameter without a value", authorization("Credential=", "Credential "), 400, sigv4.IncompleteSignature,
			"'Credential AKIAIOSFODNN7EXAMPLE/20261123/us-east-1/lambda/aws4_request' not a valid key=value pair (missing equal-sign) in Authorization header."},
		{"parameter twice", authorization("Credential=", "Signature=0, Credential="), 400, sigv4.IncompleteSignature, "Authorization header has 'Signature' parameter more than once."},
		{"nothing but the algorithm", func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256")
			r.Header.Del("X-Amz-Date")
		}, 400, sigv4.IncompleteSignature, "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. " +
			"Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."},
		{"a date that is none", func(r *http.Request) { r.Header.Set("X-Amz-Date", "2026-11-23") }, 400, sigv4.IncompleteSignature,
			"Date must be in ISO-8601 'basic format'. Got '2026-11-23'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{"changed time", func(r *http.Request) { r.Header.Set("X-Amz-Date", "20261123T120001Z") }, 403, sigv4.InvalidSignature, mismatch},
		{"payload in chunks", func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
			authorization("host;", "host;x-amz-content-sha256;")(r)
		}, 400, sigv4.IncompleteSignature, "A payload signed in chunks (X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD) is not supported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(t, http.MethodPost, "/2015-03-31/functions/echo/invocations?Qualifier=live", nil)
			r.Header.Set("X-Amz-Log-Type", "None")
			sign(t, r, nil, noon)
			r = received(t, r)
			c.change(r)
			id, err := verifier(noon).Verify(r, nil)
			refused(t, id, err, c.status, c.want, c.message)
		})
	}
}

// A client's clock may be five minutes off, either way.
func TestClocks(t *testing.T) {
	for _, c := range []struct {
		name    string
		ahead   time.Duration
		message string
	}{
		{"right", 0, ""},
		{"behind, just so", -5 * time.Minute, ""},
		{"behind", -5*time.Minute - time.Second, "Signature expired: 20261123T115459Z is now earlier than 20261123T115500Z (20261123T120000Z - 5 min.)"},
		{"ahead, just so", 5 * time.Minute, ""},
		{"ahead", 5*time.Minute + time.Second, "Signature not yet current: 20261123T120501Z is still later than 20261123T120500Z (20261123T120000Z + 5 min.)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(t, http.MethodGet, "/2015-03-31/functions", nil)
			sign(t, r, nil, noon.Add(c.ahead))
			id, err := verifier(noon).Verify(received(t, r), nil)
			if c.message == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			refused(t, id, err, 403, sigv4.InvalidSignature, c.message)
		})
	}
}

// The signature covers the body, unless the client said that it does not.
func TestPayload(t *testing.T) {
	signed, other := []byte(`{"pay": 1}`), []byte(`{"pay": 1000}`)
	for _, c := range []struct {
		name   string
		header string // X-Amz-Content-Sha256
		hash   string // that is signed
		body   []byte
		ok     bool
	}{
		{"its own hash", "", hash(signed), signed, true},
		{"another body", "", hash(signed), other, false},
		{"no body", "", hash(signed), nil, false},
		{"declared hash", hash(signed), hash(signed), signed, true},
		{"declared hash of another body", hash(signed), hash(signed), other, false},
		{"declared hash that was not signed", hash(signed), hash(other), signed, false},
		{"any body", "UNSIGNED-PAYLOAD", "UNSIGNED-PAYLOAD", other, true},
		{"any body, not declared", "", "UNSIGNED-PAYLOAD", other, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(t, http.MethodPost, "/2015-03-31/functions/echo/invocations", signed)
			if c.header != "" {
				r.Header.Set("X-Amz-Content-Sha256", c.header)
			}
			r.ContentLength = int64(len(c.body))
			signHash(t, r, c.hash, "lambda", "us-east-1", noon)
			if _, err := verifier(noon).Verify(received(t, r), c.body); (err == nil) != c.ok {
				t.Errorf("Verify: %v", err)
			}
		})
	}
}

// HTTP's own date does where there is no other, as old clients have it.
func TestDateHeader(t *testing.T) {
	for _, date := range []string{"20150830T123600Z", "Sun, 30 Aug 2015 12:36:00 GMT"} {
		// The same as the published vector "get-vanilla", but for the header that
		// the time stands in: so the signature is refused, and not the date.
		r := received(t, request(t, http.MethodGet, "/", nil))
		r.Header.Set("Date", date)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+keyID+"/20150830/us-east-1/service/aws4_request, SignedHeaders=host;date, Signature=00")
		id, err := verifier(time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)).Verify(r, nil)
		refused(t, id, err, 403, sigv4.InvalidSignature, "The request signature we calculated")
	}
}

// Derived keys are kept, but a key's new secret is used at once.
func TestSecretChanges(t *testing.T) {
	v := verifier(noon)
	r := request(t, http.MethodGet, "/", nil)
	sign(t, r, nil, noon)
	r = received(t, r)
	for range 2 {
		if _, err := v.Verify(r, nil); err != nil {
			t.Fatal(err)
		}
	}
	v.Lookup = func(string) (string, account.ID, bool) { return "another", owner, true }
	id, err := v.Verify(r, nil)
	refused(t, id, err, 403, sigv4.InvalidSignature, "The request signature we calculated")
}

// verifier knows one key, at a time that stands still.
func verifier(now time.Time) *sigv4.Verifier {
	return &sigv4.Verifier{
		Lookup: func(id string) (string, account.ID, bool) { return secret, owner, id == keyID },
		Now:    func() time.Time { return now },
	}
}

func request(t testing.TB, method, target string, body []byte) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, endpoint+target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// sign signs as AWS's own client does.
func sign(t testing.TB, r *http.Request, body []byte, at time.Time) {
	t.Helper()
	signHash(t, r, hash(body), "lambda", "us-east-1", at)
}

// fatal is what the tests of [testing] and of rapid have in common.
type fatal interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

var credentials = aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}

func signHash(t fatal, r *http.Request, payloadHash, service, region string, at time.Time) {
	t.Helper()
	if err := v4.NewSigner().SignHTTP(r.Context(), credentials, r, payloadHash, service, region, at); err != nil {
		t.Fatal(err)
	}
}

// received is the request as a server reads it from the wire.
func received(t fatal, r *http.Request) *http.Request {
	t.Helper()
	if r.ContentLength == 0 {
		r.Body = http.NoBody
	} else {
		r.Body = io.NopCloser(io.LimitReader(zeros{}, r.ContentLength)) // the verifier is given the body apart
	}
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func refused(t testing.TB, id account.ID, err error, status int, name, message string) {
	t.Helper()
	var e *sigv4.Error
	if id != "" || !errors.As(err, &e) {
		t.Fatalf("Verify = %q, %v, want %s", id, err, name)
	}
	if e.Status != status || e.Name != name || !strings.HasPrefix(e.Message, message) {
		t.Errorf("refused with\n %d %v, want\n %d %s: %s", e.Status, e, status, name, message)
	}
}
