package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// claim is what a request says about its own signature. Nothing in it is true
// until the signature was checked.
type claim struct {
	scope         scope
	signedHeaders string // lower-case names with ';' between
	signature     string // hexadecimal
	time          string // of the signing, as it stands in the string to sign
	at            time.Time

	presigned bool
	expires   time.Duration // presigned only; 0 when it does not say
	payload   string        // presigned only: X-Amz-Content-Sha256 of the query
}

// scope is what a signing key is good for.
type scope struct {
	accessKeyID, date, region, service string
}

// readClaim finds the signature in the header or else in the query.
func readClaim(r *http.Request) (claim, error) {
	switch given := r.Header["Authorization"]; {
	case len(given) == 1:
		return readHeaderClaim(r, given[0])
	case len(given) > 1:
		return claim{}, incomplete("The request has %d Authorization headers.", len(given))
	case strings.Contains(r.URL.RawQuery, "X-Amz-"):
		return readQueryClaim(r.URL.RawQuery)
	}
	return claim{}, errMissing
}

// readHeaderClaim reads the form
//
//	AWS4-HMAC-SHA256 Credential=id/date/region/service/aws4_request, SignedHeaders=a;b, Signature=hex
func readHeaderClaim(r *http.Request, authorization string) (claim, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	if name != algorithm {
		return claim{}, incomplete("Unsupported AWS 'algorithm': '%.128s'. Hearth takes %s.", name, algorithm)
	}
	var c claim
	var credential string
	for part := range strings.SplitSeq(rest, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return claim{}, incomplete("'%.128s' not a valid key=value pair (missing equal-sign) in Authorization header.", part)
		}
		field := &c.signature
		switch name {
		case "Credential":
			field = &credential
		case "SignedHeaders":
			field = &c.signedHeaders
		case "Signature":
		default:
			continue
		}
		if *field != "" {
			return claim{}, incomplete("Authorization header has '%s' parameter more than once.", name)
		}
		*field = value
	}
	missing := ""
	for _, required := range [...]struct{ name, value string }{
		{"Credential", credential}, {"Signature", c.signature}, {"SignedHeaders", c.signedHeaders},
	} {
		if required.value == "" {
			missing += "Authorization header requires '" + required.name + "' parameter. "
		}
	}
	at := r.Header.Get("X-Amz-Date")
	if at == "" {
		at = r.Header.Get("Date")
	}
	if at == "" {
		missing += "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
	}
	if missing != "" {
		return claim{}, incomplete("%s", strings.TrimSpace(missing))
	}
	if err := c.setTime(at); err != nil {
		return claim{}, err
	}
	return c, c.setCredential(credential)
}

// readQueryClaim reads the presigned form, with the same fields as parameters.
func readQueryClaim(rawQuery string) (claim, error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return claim{}, incomplete("The query string can't be read: %s.", err)
	}
	if !query.Has("X-Amz-Signature") && !query.Has("X-Amz-Credential") && !query.Has("X-Amz-Algorithm") {
		return claim{}, errMissing
	}
	for _, name := range [...]string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"} {
		if len(query[name]) != 1 || query[name][0] == "" {
			return claim{}, incomplete("AWS query-string parameters must include '%s', once. Re-examine the query-string parameters.", name)
		}
	}
	if name := query.Get("X-Amz-Algorithm"); name != algorithm {
		return claim{}, incomplete("Unsupported AWS 'algorithm': '%.128s'. Hearth takes %s.", name, algorithm)
	}
	c := claim{
		presigned:     true,
		signature:     query.Get("X-Amz-Signature"),
		signedHeaders: query.Get("X-Amz-SignedHeaders"),
		payload:       query.Get("X-Amz-Content-Sha256"),
	}
	if given, ok := query["X-Amz-Expires"]; ok {
		seconds, err := strconv.Atoi(given[0])
		switch {
		case len(given) > 1 || err != nil:
			return claim{}, incomplete("X-Amz-Expires should be a number")
		case seconds < 1:
			return claim{}, incomplete("X-Amz-Expires must be positive")
		case seconds > int(MaxExpires/time.Second):
			return claim{}, incomplete("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than %d seconds", int(MaxExpires/time.Second))
		}
		c.expires = time.Duration(seconds) * time.Second
	}
	if err := c.setTime(query.Get("X-Amz-Date")); err != nil {
		return claim{}, err
	}
	return c, c.setCredential(query.Get("X-Amz-Credential"))
}

// setTime takes ISO-8601's basic format and, because a Date header may be the
// only one there is, HTTP's. The string to sign has the former.
func (c *claim) setTime(given string) (err error) {
	if c.at, err = time.Parse(isoBasic, given); err == nil {
		c.time = given
		return nil
	}
	if c.at, err = http.ParseTime(given); err != nil {
		return incomplete("Date must be in ISO-8601 'basic format'. Got '%.128s'. See http://en.wikipedia.org/wiki/ISO_8601", given)
	}
	c.at = c.at.UTC()
	c.time = c.at.Format(isoBasic)
	return nil
}

// setCredential splits id/date/region/service/aws4_request and checks what can
// be checked without a key.
func (c *claim) setCredential(credential string) error {
	if strings.Count(credential, "/") != 4 {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%.256s'", credential)
	}
	id, rest, _ := strings.Cut(credential, "/")
	date, rest, _ := strings.Cut(rest, "/")
	region, rest, _ := strings.Cut(rest, "/")
	service, end, _ := strings.Cut(rest, "/")
	c.scope = scope{accessKeyID: id, date: date, region: region, service: service}
	switch {
	case end != terminator:
		return invalid("Credential should be scoped with a valid terminator: '%s', not '%.128s'.", terminator, end)
	case region == "":
		return invalid("Credential should be scoped to a valid region, not ''.")
	case service == "":
		return invalid("Credential should be scoped to correct service.")
	case date != c.time[:8]:
		return invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%.128s' != '%s', from '%s'.", date, c.time[:8], c.time)
	}
	return nil
}

// checkTime refuses what was signed too long ago, or in the future.
func (c *claim) checkTime(now time.Time, skew time.Duration) error {
	now = now.UTC()
	valid, unit := skew, minutes(skew)
	if c.expires > 0 {
		valid, unit = c.expires, strconv.Itoa(int(c.expires/time.Second))+" sec."
	}
	if earliest := now.Add(-valid); c.at.Before(earliest.Truncate(time.Second)) {
		return invalid("Signature expired: %s is now earlier than %s (%s - %s)", c.time, earliest.Format(isoBasic), now.Format(isoBasic), unit)
	}
	if latest := now.Add(skew); c.at.After(latest) {
		return invalid("Signature not yet current: %s is still later than %s (%s + %s)", c.time, latest.Format(isoBasic), now.Format(isoBasic), minutes(skew))
	}
	return nil
}

func minutes(d time.Duration) string {
	if d%time.Minute == 0 {
		return strconv.Itoa(int(d/time.Minute)) + " min."
	}
	return strconv.Itoa(int(d/time.Second)) + " sec."
}

// checkCoverage refuses a request with a header that matters and that the
// signature does not cover.
func (c *claim) checkCoverage(h http.Header) error {
	if !c.covers("host") && !c.covers(":authority") {
		return invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-") && name != "X-Amz-Security-Token" && !c.covers(name) {
			return invalid("'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
		}
	}
	return nil
}

func (c *claim) covers(header string) bool {
	for rest := c.signedHeaders; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, ";")
		if strings.EqualFold(name, header) {
			return true
		}
	}
	return false
}

// payloads returns what may stand for the body in the canonical request: one
// value or, for a presigned URL that does not say, two.
func (c *claim) payloads(r *http.Request, body []byte) ([2]string, error) {
	declared := c.declared(r)
	switch {
	case declared == unsignedPayload:
		return [2]string{unsignedPayload}, nil
	case strings.HasPrefix(declared, "STREAMING-"):
		return [2]string{}, incomplete("A payload signed in chunks (X-Amz-Content-Sha256: %.128s) is not supported: sign its SHA-256, or %s.", declared, unsignedPayload)
	}
	hash := payloadHash(body)
	switch {
	case declared == hash, declared == "" && !c.presigned:
		return [2]string{hash}, nil
	case declared == "":
		return [2]string{hash, unsignedPayload}, nil
	}
	return [2]string{}, errMismatch // the body is not the one that was hashed
}

// declared is what the request says was signed for the body, "" where it
// doesn't say.
func (c *claim) declared(r *http.Request) string {
	if given := r.Header["X-Amz-Content-Sha256"]; len(given) > 0 {
		return given[0]
	}
	return c.payload
}

func payloadHash(body []byte) string {
	if len(body) == 0 {
		return emptyPayload
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// emptyPayload is the SHA-256 of nothing.
const emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
