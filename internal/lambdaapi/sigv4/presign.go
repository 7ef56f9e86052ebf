package sigv4

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hearthd/hearth/internal/account"
)

// Presign returns the URL of a request without a body with a signature in its
// query. Whoever has the URL can make the request, in the key's name, until it
// expires; deleting the key ends it before. The request is not changed.
func Presign(r *http.Request, key account.Key, region, service string, at time.Time, expires time.Duration) *url.URL {
	at = at.UTC()
	c := scope{accessKeyID: key.AccessKeyID, date: at.Format("20060102"), region: region, service: service}
	query := r.URL.Query()
	query.Set("X-Amz-Algorithm", algorithm)
	query.Set("X-Amz-Credential", c.accessKeyID+"/"+c.date+"/"+c.region+"/"+c.service+"/"+terminator)
	query.Set("X-Amz-Date", at.Format(isoBasic))
	query.Set("X-Amz-Expires", strconv.Itoa(int(expires/time.Second)))
	query.Set("X-Amz-SignedHeaders", "host")

	u := *r.URL
	u.RawQuery = query.Encode()
	s := scratches.Get().(*scratch)
	defer s.release()
	s.setQuery(u.RawQuery) // its own encoding, which is right
	s.canonicalRequest(r, "host", rawPath(r), emptyPayload)
	signature := newSigningKey(&c, key.Secret).sign(nil, s.stringToSign(at.Format(isoBasic), &c))
	u.RawQuery += "&X-Amz-Signature=" + hex.EncodeToString(signature)
	return &u
}
