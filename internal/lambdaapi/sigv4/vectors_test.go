package sigv4_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/lambdaapi/sigv4"
)

// AWS published these in its "Signature Version 4 test suite": requests at
// 2015-08-30T12:36:00Z for region us-east-1 and a service called "service".
func TestPublishedVectors(t *testing.T) {
	v := &sigv4.Verifier{
		Lookup: func(id string) (string, account.ID, bool) {
			return "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", owner, id == "AKIDEXAMPLE"
		},
		Now: func() time.Time { return time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC) },
	}
	for _, c := range []struct {
		name, method, target string
		headers              []string // name, value, name, value, ...
		signature            string
	}{
		{"get-vanilla", "GET", "/", nil, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"post-vanilla", "POST", "/", nil, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", nil, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"get-unreserved", "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", nil, "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		{"get-header-value-trim", "GET", "/", []string{"My-Header1", " value1", "My-Header2", ` "a   b   c"`}, "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		{"get-relative", "GET", "/example/..", nil, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-relative-relative", "GET", "/example1/example2/../..", nil, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-slash", "GET", "//", nil, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-slash-dot-slash", "GET", "/./", nil, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-slashes", "GET", "//example//", nil, "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(c.method + " " + c.target + " HTTP/1.1\r\nHost: example.amazonaws.com\r\n\r\n")))
			if err != nil {
				t.Fatal(err)
			}
			names := "host"
			for i := 0; i < len(c.headers); i += 2 {
				r.Header[http.CanonicalHeaderKey(c.headers[i])] = []string{c.headers[i+1]}
				names += ";" + strings.ToLower(c.headers[i])
			}
			r.Header.Set("X-Amz-Date", "20150830T123600Z")
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "+
				"SignedHeaders="+names+";x-amz-date, Signature="+c.signature)
			if _, err := v.Verify(r, nil); err != nil {
				t.Error(err)
			}
		})
	}
}
