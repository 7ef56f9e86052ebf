package sigv4_test

import (
	"bytes"
	"net/http"
	"testing"
)

// BenchmarkVerify checks an invocation with a payload of 1 KB and the headers
// that AWS's Go SDK sends.
func BenchmarkVerify(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 1<<10)
	r := request(b, http.MethodPost, "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aecho/invocations?Qualifier=live", body)
	for name, value := range map[string]string{
		"Accept-Encoding":       "identity",
		"Amz-Sdk-Invocation-Id": "3f0e5f4e-9a3f-4d39-8b9e-0a0c3e0c9b11",
		"Amz-Sdk-Request":       "attempt=1; max=3",
		"Content-Type":          "application/octet-stream",
		"User-Agent":            "aws-sdk-go-v2/1.47.8 ua/2.1 os/linux lang/go#1.26 md/GOOS#linux md/GOARCH#amd64 api/lambda#1.114.3",
		"X-Amz-Invocation-Type": "RequestResponse",
		"X-Amz-Log-Type":        "None",
	} {
		r.Header.Set(name, value)
	}
	sign(b, r, body, noon)
	v, r := verifier(noon), received(b, r)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := v.Verify(r, body); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
