package load

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// Key is an access key and the region it signs for.
type Key struct {
	ID, Secret, Region string
}

// ReadKey reads the profile default of a file in AWS's shared-credentials format.
func ReadKey(path string) (Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return Key{}, err
	}
	defer f.Close()
	k := Key{Region: "us-east-1"}
	for s := bufio.NewScanner(f); s.Scan(); {
		name, value, _ := strings.Cut(s.Text(), "=")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			k.ID = value
		case "aws_secret_access_key":
			k.Secret = value
		case "region":
			k.Region = value
		}
	}
	if k.ID == "" || k.Secret == "" {
		return Key{}, fmt.Errorf("%s holds no access key", path)
	}
	return k, nil
}

// Request is an HTTP request to be signed for Lambda's API.
type Request struct {
	Method string
	// Path may have a query.
	Path string
	Host string
	Body []byte
	// Headers are further ones to sign, in lower case.
	Headers map[string]string
}

// timeFormat is the one of X-Amz-Date.
const timeFormat = "20060102T150405Z"

// Sign returns the bytes to send: r with a signature for the given time.
func (k Key) Sign(r Request, now time.Time) []byte {
	stamp := now.UTC().Format(timeFormat)
	date := stamp[:8]
	bodySum := sha256.Sum256(r.Body)
	path, query, _ := strings.Cut(r.Path, "?")
	values := map[string]string{"host": r.Host, "x-amz-date": stamp}
	maps.Copy(values, r.Headers)
	names := slices.Sorted(maps.Keys(values))
	headers, signed := "", strings.Join(names, ";")
	for _, name := range names {
		headers += name + ":" + values[name] + "\n"
	}
	canonical := strings.Join([]string{
		r.Method, escapePath(path), query,
		headers, signed, hex.EncodeToString(bodySum[:]),
	}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	scope := date + "/" + k.Region + "/lambda/aws4_request"
	toSign := "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
	key := mac([]byte("AWS4"+k.Secret), date)
	key = mac(key, k.Region)
	key = mac(key, "lambda")
	key = mac(key, "aws4_request")
	b := make([]byte, 0, len(r.Body)+512)
	b = fmt.Appendf(b, "%s %s HTTP/1.1\r\nHost: %s\r\nX-Amz-Date: %s\r\n"+
		"Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%x\r\n",
		r.Method, r.Path, r.Host, stamp, k.ID, scope, signed, mac(key, toSign))
	for name, value := range r.Headers {
		b = fmt.Appendf(b, "%s: %s\r\n", name, value)
	}
	if len(r.Body) > 0 || r.Method == "POST" || r.Method == "PUT" {
		b = fmt.Appendf(b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(r.Body))
	}
	b = append(b, "\r\n"...)
	return append(b, r.Body...)
}

// escapePath escapes each segment once more, as the canonical form wants it
// for every service but S3.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(url.QueryEscape(p), "+", "%20")
	}
	return strings.Join(parts, "/")
}

func mac(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}

// signer keeps one request signed for the present second.
type signer struct {
	key     Key
	request Request
	second  int64
	signed  []byte
}

func (s *signer) bytes(now time.Time) []byte {
	if t := now.Unix(); t != s.second {
		s.second, s.signed = t, s.key.Sign(s.request, now)
	}
	return s.signed
}
