package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// maxScratch is the largest buffer that is kept for the next request.
const maxScratch = 64 << 10

// scratch is the memory that the check of one request needs. It is reused,
// since every request needs it.
type scratch struct {
	request []byte  // the canonical request
	text    []byte  // the canonical parameters, which params point into
	params  []param // sorted
	toSign  []byte
	header  []byte // a header's name as http.Header spells it
	sum     []byte
	want    []byte
	given   []byte
}

// param is one parameter of the query, URI-encoded as the canonical request
// has it.
type param struct{ name, value []byte }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (s *scratch) release() {
	if cap(s.request) <= maxScratch && cap(s.text) <= maxScratch {
		scratches.Put(s)
	}
}

// canonicalRequest writes
//
//	method \n path \n query \n headers \n signed headers \n payload hash
func (s *scratch) canonicalRequest(r *http.Request, signedHeaders, path, payload string) {
	b := append(s.request[:0], r.Method...)
	if r.Method == "" {
		b = append(b, http.MethodGet...)
	}
	b = append(b, '\n')
	b = appendEncodedPath(b, path)
	b = append(b, '\n')
	for i, p := range s.params {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p.name...)
		b = append(b, '=')
		b = append(b, p.value...)
	}
	b = append(b, '\n')
	for name := range strings.SplitSeq(signedHeaders, ";") {
		b = append(b, name...)
		b = append(b, ':')
		b = s.appendHeader(b, r, name)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, signedHeaders...)
	b = append(b, '\n')
	s.request = append(b, payload...)
}

// stringToSign needs the canonical request.
func (s *scratch) stringToSign(at string, c *scope) []byte {
	sum := sha256.Sum256(s.request)
	b := append(s.toSign[:0], algorithm...)
	b = append(b, '\n')
	b = append(b, at...)
	b = append(b, '\n')
	b = append(b, c.date...)
	b = append(b, '/')
	b = append(b, c.region...)
	b = append(b, '/')
	b = append(b, c.service...)
	b = append(b, "/"+terminator+"\n"...)
	s.toSign = hex.AppendEncode(b, sum[:])
	return s.toSign
}

// appendHeader appends the values of one header, trimmed, with single spaces
// and a comma between two of them. A header that is not there has none.
func (s *scratch) appendHeader(b []byte, r *http.Request, name string) []byte {
	switch name {
	case "host", ":authority":
		host := r.Host
		if host == "" {
			host = r.URL.Host
		}
		return appendCollapsed(b, host)
	case "content-length":
		// The server takes it from the header's map in some versions of HTTP.
		if r.Header["Content-Length"] == nil && r.ContentLength >= 0 {
			return strconv.AppendInt(b, r.ContentLength, 10)
		}
	}
	s.header = appendHeaderName(s.header[:0], name)
	for i, value := range r.Header[string(s.header)] {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCollapsed(b, value)
	}
	return b
}

// appendHeaderName spells a name as http.Header does: X-Amz-Date.
func appendHeaderName(b []byte, name string) []byte {
	upper := true
	for i := range len(name) {
		c := name[i]
		switch {
		case upper && 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		case !upper && 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		b = append(b, c)
		upper = c == '-'
	}
	return b
}

// appendCollapsed appends a header's value without the spaces around it and
// with one where there were several.
func appendCollapsed(b []byte, value string) []byte {
	value = strings.Trim(value, " \t")
	space := false
	for i := range len(value) {
		if value[i] == ' ' && space {
			continue
		}
		space = value[i] == ' '
		b = append(b, value[i])
	}
	return b
}

// setQuery brings the query into its canonical form: every name and value
// decoded and encoded again by AWS's rules, then sorted by name and value in
// their encoded form, without the signature itself. It returns false for a
// query with escapes that are none.
func (s *scratch) setQuery(raw string) bool {
	s.text = slices.Grow(s.text[:0], 3*len(raw)) // never moves while params point into it
	s.params = s.params[:0]
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		var p param
		var ok bool
		if p.name, ok = s.reencode(name); !ok {
			return false
		}
		if p.value, ok = s.reencode(value); !ok {
			return false
		}
		if string(p.name) != "X-Amz-Signature" {
			s.params = append(s.params, p)
		}
	}
	slices.SortFunc(s.params, func(a, b param) int {
		if c := bytes.Compare(a.name, b.name); c != 0 {
			return c
		}
		return bytes.Compare(a.value, b.value)
	})
	return true
}

func (s *scratch) reencode(part string) (_ []byte, ok bool) {
	start := len(s.text)
	for i := 0; i < len(part); i++ {
		c := part[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(part) {
				return nil, false
			}
			high, low := unhex(part[i+1]), unhex(part[i+2])
			if high > 15 || low > 15 {
				return nil, false
			}
			c = high<<4 | low
			i += 2
		}
		s.text = appendEncoded(s.text, c)
	}
	return s.text[start:len(s.text):len(s.text)], true
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// appendEncodedPath encodes everything but the slashes, escapes included.
func appendEncodedPath(b []byte, path string) []byte {
	for i := range len(path) {
		if path[i] == '/' {
			b = append(b, '/')
		} else {
			b = appendEncoded(b, path[i])
		}
	}
	return b
}

// appendEncoded appends a byte as it is when RFC 3986 calls it unreserved, else
// as %XY.
func appendEncoded(b []byte, c byte) []byte {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~':
		return append(b, c)
	}
	const digits = "0123456789ABCDEF"
	return append(b, '%', digits[c>>4], digits[c&15])
}

// normalize removes empty and dot segments from a path (RFC 3986, 5.2.4).
func normalize(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, segment)
		}
	}
	if len(kept) == 0 {
		return "/"
	}
	clean := "/" + strings.Join(kept, "/")
	if strings.HasSuffix(path, "/") {
		clean += "/"
	}
	return clean
}
