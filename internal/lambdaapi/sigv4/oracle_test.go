package sigv4_test

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"
)

// Whatever AWS's own client signs is taken, in both forms.
func TestAgreesWithAWSClient(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawRequest(t)
		if _, err := verifier(noon).Verify(d.sign(t), d.body); err != nil {
			t.Fatal(err)
		}
		if _, err := verifier(noon).Verify(d.presign(t), d.body); err != nil {
			t.Fatalf("presigned: %v", err)
		}
	})
}

// A request that differs in anything the signature covers is refused.
func TestRefusesWhatWasAltered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawRequest(t)
		forms := []func(fatal) *http.Request{d.sign, d.presign}
		r := rapid.SampledFrom(forms).Draw(t, "form")(t)
		body := d.body
		switch rapid.SampledFrom([]string{"method", "path", "query", "host", "body"}).Draw(t, "altered") {
		case "method":
			r.Method = "PATCH"
		case "path":
			r.RequestURI = "/added" + r.RequestURI
		case "query":
			// A value in front of the rest, so that it is not among them.
			r.URL.RawQuery = "added=1&" + r.URL.RawQuery
		case "host":
			r.Host += "x"
		case "body":
			if r.Header.Get("Authorization") == "" && d.payload == "UNSIGNED-PAYLOAD" {
				t.Skip("any body will do")
			}
			body = append([]byte("x"), body...)
		}
		if _, err := verifier(noon).Verify(r, body); err == nil {
			t.Fatal("taken")
		}
	})
}

// drawn is a request to be signed.
type drawn struct {
	method, service, region string
	url                     url.URL
	header                  http.Header
	body                    []byte
	payload                 string // what a presigned URL covers
	at                      time.Time
	expires                 int
}

func drawRequest(t *rapid.T) *drawn {
	text := rapid.StringOf(rapid.OneOf(
		rapid.RuneFrom([]rune("abcXYZ019-_.~")), rapid.RuneFrom([]rune("$:/ +%&=;,@!*'()[]{}|\\\"<>^`#?")), rapid.Rune(),
	))
	d := &drawn{
		method:  rapid.SampledFrom([]string{"GET", "POST", "PUT", "DELETE"}).Draw(t, "method"),
		service: rapid.SampledFrom([]string{"lambda", "logs", "sts"}).Draw(t, "service"),
		region:  rapid.StringMatching(`[a-z]{2}-[a-z]{4,9}-[1-9]`).Draw(t, "region"),
		at:      noon.Add(time.Duration(rapid.IntRange(-299, 299).Draw(t, "skew")) * time.Second),
		body:    rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		header:  http.Header{},
		expires: rapid.IntRange(300, 604800).Draw(t, "expires"),
	}
	d.payload = rapid.SampledFrom([]string{hash(d.body), "UNSIGNED-PAYLOAD"}).Draw(t, "payload")
	path := ""
	for _, segment := range rapid.SliceOfN(text, 1, 5).Draw(t, "path") {
		path += "/" + segment
	}
	d.url = url.URL{Scheme: "http", Host: "127.0.0.1:9400", Path: path}
	if rapid.Bool().Draw(t, "escape more than needed") {
		// %3a for ':', as some clients have it in ARNs, and in small letters.
		d.url.RawPath = strings.ReplaceAll(d.url.EscapedPath(), ":", "%3a")
	}
	query := url.Values{}
	for name, values := range rapid.MapOfN(text, rapid.SliceOfN(text, 1, 3), 0, 4).Draw(t, "query") {
		if !strings.HasPrefix(name, "X-Amz-") {
			query[name] = values
		}
	}
	d.url.RawQuery = query.Encode()
	names := rapid.StringMatching(`(X-Amz-|X-Hearth-|)[A-Z][a-z]{1,8}(-[A-Z0-9][a-z0-9]{0,8}){1,2}`)
	values := rapid.SliceOfN(rapid.StringMatching(`[!-~]?[ -~]{0,20}[!-~]?`), 1, 3)
	for name, values := range rapid.MapOfN(names, values, 0, 5).Draw(t, "header") {
		d.header[http.CanonicalHeaderKey(name)] = values
	}
	return d
}

func (d *drawn) request() *http.Request {
	u := d.url
	r := &http.Request{Method: d.method, URL: &u, Host: u.Host, Header: d.header.Clone(), ContentLength: int64(len(d.body))}
	return r.WithContext(context.Background())
}

func (d *drawn) sign(t fatal) *http.Request {
	t.Helper()
	r := d.request()
	signHash(t, r, hash(d.body), d.service, d.region, d.at)
	return received(t, r)
}

func (d *drawn) presign(t fatal) *http.Request {
	t.Helper()
	r := d.request()
	query := r.URL.Query()
	query.Set("X-Amz-Expires", strconv.Itoa(d.expires))
	r.URL.RawQuery = query.Encode()
	signed, header, err := v4.NewSigner().PresignHTTP(r.Context(), credentials, r, d.payload, d.service, d.region, d.at)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	r.URL = u
	r.Header = header // what must go with the URL; the rest is in the query
	return received(t, r)
}
