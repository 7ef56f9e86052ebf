package sigv4_test

import (
	"bufio"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/hearthd/hearth/internal/lambdaapi/sigv4"
)

// Nobody but the holder of a secret gets in, and everybody else gets one of
// AWS's errors: whatever they send as a header.
func FuzzAuthorization(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential="+keyID+"/20261123/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "20261123T120000Z")
	f.Add("AWS4-HMAC-SHA256 Credential="+keyID+"/20261123/us-east-1/lambda/aws4_request,SignedHeaders=;;,Signature=é", "Mon, 23 Nov 2026 12:00:00 GMT")
	f.Add("AWS4-HMAC-SHA256 Credential=////,=,,Signature", "20261123T120000.5Z")
	f.Add("Bearer x", "")
	f.Fuzz(func(t *testing.T, authorization, date string) {
		r := request(t, http.MethodGet, "/2015-03-31/functions", nil)
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Amz-Date", date)
		mustRefuse(t, r)
	})
}

// ... and whatever they send as a target.
func FuzzPresigned(f *testing.F) {
	f.Add("/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + keyID + "%2F20261123%2Fus-east-1%2Flambda%2Faws4_request&X-Amz-Date=20261123T120000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00")
	f.Add("/a/..//b/%2e%2E/?X-Amz-Algorithm=%41&&=&a=%&+=+;X-Amz-Signature")
	f.Fuzz(func(t *testing.T, target string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n")))
		if err != nil {
			t.Skip("no server would hand it on")
		}
		mustRefuse(t, r)
	})
}

func mustRefuse(t *testing.T, r *http.Request) {
	t.Helper()
	id, err := verifier(noon).Verify(r, nil)
	var e *sigv4.Error
	if id != "" || !errors.As(err, &e) {
		t.Fatalf("Verify = %q, %v", id, err)
	}
	if e.Message == "" || (e.Status != 400 && e.Status != 403) {
		t.Errorf("refused with %d %v", e.Status, e)
	}
}
