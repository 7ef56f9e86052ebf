// Package sigv4 checks AWS Signature Version 4: that a request was made by the
// holder of an access key, a short while ago, and not altered on its way.
//
//	v := &sigv4.Verifier{Lookup: …}
//	account, err := v.Verify(request, body)
//
// It takes both forms that clients use: an Authorization header, and a presigned
// URL with the signature in its query. Every region and service name is taken,
// because one Hearth plays all of them; what a signature is valid for is bound
// by the host, path and query it covers.
//
// The rules are those of
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
// for services other than S3: path segments are URI-encoded once more in the
// canonical request than they are on the wire. Where AWS's page leaves
// something open, the package follows what AWS's clients do:
//
//   - A client may remove dot segments and double slashes from the path before
//     it signs (botocore, JavaScript) or not (Go). Both are taken.
//   - A presigned URL that declares no payload hash covers the body's own hash
//     or is signed for any body (UNSIGNED-PAYLOAD). Both are taken.
//   - X-Amz-Security-Token is not looked at: Hearth's keys have none.
//
// A request whose every X-Amz-… header and Host are not covered by the
// signature is refused: somebody on the way could have added them. Other
// headers are covered when the client chose so.
//
// Errors are [*Error], which carry the name, status and message of AWS's
// exception. The package reads no body and writes no answer; callers are the
// API, which does both, and whoever makes download URLs with [Presign].
package sigv4

import (
	"crypto/hmac"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/hearthd/hearth/internal/account"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	isoBasic   = "20060102T150405Z"
	// unsignedPayload stands for the payload's hash where a signature is to be
	// valid for any body.
	unsignedPayload = "UNSIGNED-PAYLOAD"
	// DefaultMaxSkew is AWS's.
	DefaultMaxSkew = 5 * time.Minute
	// MaxExpires is how long a presigned URL may be valid, as AWS has it.
	MaxExpires = 7 * 24 * time.Hour
)

// Verifier checks signatures. It is safe for concurrent use and must not be
// copied or changed once in use.
type Verifier struct {
	// Lookup returns the secret of an active access key and whose it is. It is
	// called for every request and should not block.
	Lookup func(accessKeyID string) (secret string, id account.ID, ok bool)
	// Now is the clock, time.Now when nil.
	Now func() time.Time
	// MaxSkew is how far the clock of a client may be off, DefaultMaxSkew when
	// 0.
	MaxSkew time.Duration

	keys keyCache
}

// Verify returns the account that signed the request, whose whole body is
// given. Every error is an [*Error].
func (v *Verifier) Verify(r *http.Request, body []byte) (account.ID, error) {
	c, err := v.claim(r)
	if err != nil {
		return "", err
	}
	payloads, err := c.payloads(r, body)
	if err != nil {
		return "", err
	}
	return v.check(r, &c, payloads)
}

// VerifyHead checks what can be checked before the body is there: all but
// whether the body is the one that was signed, where the request says what was
// (X-Amz-Content-Sha256), and else who signed it and when. A request that
// passes is still to be verified.
func (v *Verifier) VerifyHead(r *http.Request) error {
	c, err := v.claim(r)
	if err != nil {
		return err
	}
	if declared := c.declared(r); declared != "" {
		_, err := v.check(r, &c, [2]string{declared})
		return err
	}
	if _, _, ok := v.Lookup(c.scope.accessKeyID); !ok {
		return errUnknownKey
	}
	return nil
}

// claim reads what a request says about its signature, and refuses what could
// be true of no request.
func (v *Verifier) claim(r *http.Request) (claim, error) {
	c, err := readClaim(r)
	if err != nil {
		return c, err
	}
	if err := c.checkTime(v.now(), v.maxSkew()); err != nil {
		return c, err
	}
	return c, c.checkCoverage(r.Header)
}

// check compares the signature with those of the payloads.
func (v *Verifier) check(r *http.Request, c *claim, payloads [2]string) (account.ID, error) {
	secret, id, ok := v.Lookup(c.scope.accessKeyID)
	if !ok {
		return "", errUnknownKey
	}
	key, cached := v.keys.get(&c.scope, secret)
	if !cached {
		key = newSigningKey(&c.scope, secret)
	}
	if !matches(r, c, payloads, key) {
		return "", errMismatch
	}
	if !cached {
		// Only now: who can't sign can't fill the cache.
		v.keys.put(key)
	}
	return id, nil
}

// matches tells whether the signature is one that an honest client would have
// made for the request.
func matches(r *http.Request, c *claim, payloads [2]string, key *signingKey) bool {
	s := scratches.Get().(*scratch)
	defer s.release()
	if !s.setQuery(r.URL.RawQuery) {
		return false
	}
	path := rawPath(r)
	clean := normalize(path)
	for _, payload := range payloads {
		if payload == "" {
			break
		}
		if s.signatureIs(c.signature, r, c, path, payload, key) {
			return true
		}
		if clean != path && s.signatureIs(c.signature, r, c, clean, payload, key) {
			return true
		}
	}
	return false
}

// signatureIs compares in constant time.
func (s *scratch) signatureIs(given string, r *http.Request, c *claim, path, payload string, key *signingKey) bool {
	s.canonicalRequest(r, c.signedHeaders, path, payload)
	s.sum = key.sign(s.sum[:0], s.stringToSign(c.time, &c.scope))
	s.want = hex.AppendEncode(s.want[:0], s.sum)
	s.given = append(s.given[:0], given...)
	return hmac.Equal(s.want, s.given)
}

// AccessKeyID is the access key that a request says it was signed with, which
// is true of one that [Verifier.Verify] let pass; "" where it says nothing.
func AccessKeyID(r *http.Request) string {
	c, err := readClaim(r)
	if err != nil {
		return ""
	}
	return c.scope.accessKeyID
}

func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

func (v *Verifier) maxSkew() time.Duration {
	if v.MaxSkew == 0 {
		return DefaultMaxSkew
	}
	return v.MaxSkew
}

// rawPath is the path as it came, with its escapes: an ARN may stand in it with
// ':' or with %3A, and the client signed what it sent.
func rawPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(path, "/") {
		path = r.URL.EscapedPath() // a request made by hand, or one with a whole URL in its first line
	}
	if path == "" {
		return "/"
	}
	return path
}
