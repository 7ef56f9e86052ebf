package runtimeapi

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

const (
	// maxHead bounds the whole head of a request. Lines of it that nobody
	// needs are skipped, not kept: aws-lambda-go sends up to 1 MB in
	// Lambda-Runtime-Function-XRay-Error-Cause.
	maxHead = 2 << 20
	// maxID bounds a request ID in a path; ours are UUIDs.
	maxID = 64
)

type route uint8

const (
	routeUnknown route = iota
	routeNext
	routeResponse
	routeError
	routeInitError
	routeWrongMethod // a known path with a method it doesn't have
)

// head is what matters of a request's head. It is reused for every request of
// a connection and holds no reference to the read buffer.
type head struct {
	route   route
	idBytes [maxID]byte
	idLen   int

	isHead         bool  // method HEAD: an answer has no body
	close          bool  // the connection is to end after the answer
	length         int64 // -1 when there was no Content-Length
	chunked        bool
	expectContinue bool
	badMode        bool // Lambda-Runtime-Function-Response-Mode is neither streaming nor buffered
	contentType    string
	errorType      string
}

func (h *head) id() []byte { return h.idBytes[:h.idLen] }

func (h *head) hasBody() bool { return h.chunked || h.length > 0 }

// read reads one request's head. Its error is a *refusal when the request is
// not acceptable HTTP, io.EOF when the connection ended between requests.
func (h *head) read(r *bufio.Reader) error {
	*h = head{length: -1}
	line, err := r.ReadSlice('\n')
	// Some clients send an empty line after a body; RFC 9112, 2.2.
	for err == nil && len(trimLine(line)) == 0 {
		line, err = r.ReadSlice('\n')
		if err == nil && len(trimLine(line)) == 0 {
			return errSyntax
		}
	}
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return errTargetTooLong
	case errors.Is(err, io.EOF) && len(line) == 0:
		return io.EOF
	case err != nil:
		return unexpected(err)
	}
	if refused := h.parseRequestLine(trimLine(line)); refused != nil {
		return refused
	}
	for size := 0; ; {
		line, err := r.ReadSlice('\n')
		size += len(line)
		if size > maxHead {
			return errHeadTooLarge
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			if known(fieldName(line)) {
				return errHeadTooLarge
			}
			n, err := skipLine(r, maxHead-size)
			if err != nil {
				return err
			}
			size += n
			continue
		}
		if err != nil {
			return unexpected(err)
		}
		line = trimLine(line)
		if len(line) == 0 {
			return h.check()
		}
		if refused := h.parseField(line); refused != nil {
			return refused
		}
	}
}

// skipLine discards the rest of a line of at most limit bytes.
func skipLine(r *bufio.Reader, limit int) (int, error) {
	for n := 0; n <= limit; {
		part, err := r.ReadSlice('\n')
		n += len(part)
		if err == nil {
			return n, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return n, unexpected(err)
		}
	}
	return 0, errHeadTooLarge
}

func (h *head) parseRequestLine(line []byte) *refusal {
	method, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok {
		return errSyntax
	}
	target, version, ok := bytes.Cut(rest, []byte{' '})
	if !ok || len(target) == 0 {
		return errSyntax
	}
	switch string(version) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		h.close = true
	default:
		return errVersion
	}
	if !isToken(method) {
		return errSyntax
	}
	h.isHead = string(method) == "HEAD"
	h.parseTarget(method, target)
	return nil
}

const prefix = "/2018-06-01/runtime/"

func (h *head) parseTarget(method, target []byte) {
	if after, ok := bytes.CutPrefix(target, []byte("http://")); ok { // as through a proxy
		i := bytes.IndexByte(after, '/')
		if i < 0 {
			return
		}
		target = after[i:]
	}
	target, _, _ = bytes.Cut(target, []byte{'?'})
	path, ok := bytes.CutPrefix(target, []byte(prefix))
	if !ok {
		return
	}
	want := "POST"
	switch {
	case string(path) == "invocation/next":
		h.route, want = routeNext, "GET"
	case string(path) == "init/error":
		h.route = routeInitError
	default:
		path, ok := bytes.CutPrefix(path, []byte("invocation/"))
		if !ok {
			return
		}
		id, action, ok := bytes.Cut(path, []byte{'/'})
		switch {
		case !ok:
			return
		case string(action) == "response":
			h.route = routeResponse
		case string(action) == "error":
			h.route = routeError
		default:
			return
		}
		if len(id) <= maxID { // a longer one is nobody's: it stays empty
			h.idLen = copy(h.idBytes[:], id)
		}
	}
	if string(method) != want {
		h.route = routeWrongMethod
	}
}

func (h *head) parseField(line []byte) *refusal {
	name := fieldName(line)
	if name == nil || !isToken(name) {
		return errSyntax // includes folded lines and a space before the colon
	}
	if !known(name) {
		return nil
	}
	value := bytes.Trim(line[len(name)+1:], " \t")
	switch {
	case is(name, "content-length"):
		n, ok := parseLength(value)
		if !ok || h.length >= 0 && h.length != n {
			return errSyntax
		}
		h.length = n
	case is(name, "transfer-encoding"):
		if h.chunked || !is(value, "chunked") {
			return errEncoding
		}
		h.chunked = true
	case is(name, "expect"):
		if !is(value, "100-continue") {
			return errExpect
		}
		h.expectContinue = true
	case is(name, "connection"):
		if hasToken(value, "close") {
			h.close = true
		}
	case is(name, "content-type"):
		h.contentType = intern(value)
	case is(name, "lambda-runtime-function-error-type"):
		h.errorType = string(value)
	case is(name, "lambda-runtime-function-response-mode"):
		h.badMode = !is(value, "streaming") && !is(value, "buffered")
	}
	return nil
}

// check looks at what only the whole head shows.
func (h *head) check() error {
	if h.chunked && h.length >= 0 {
		return errSyntax // which of the two? RFC 9112, 6.1: an attack, or broken
	}
	if !h.hasBody() {
		h.expectContinue = false
	}
	return nil
}

// known tells the fields that parseField looks at.
func known(name []byte) bool {
	switch len(name) {
	case len("expect"):
		return is(name, "expect")
	case len("connection"):
		return is(name, "connection")
	case len("content-type"):
		return is(name, "content-type")
	case len("content-length"):
		return is(name, "content-length")
	case len("transfer-encoding"):
		return is(name, "transfer-encoding")
	case len("lambda-runtime-function-error-type"):
		return is(name, "lambda-runtime-function-error-type")
	case len("lambda-runtime-function-response-mode"):
		return is(name, "lambda-runtime-function-response-mode")
	}
	return false
}

// fieldName returns what stands before the colon, nil if there is none.
func fieldName(line []byte) []byte {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return nil
	}
	return line[:i]
}

// is compares with an ASCII word in lower case, ignoring case.
func is(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// hasToken looks for a word in a comma-separated list.
func hasToken(list []byte, lower string) bool {
	for len(list) > 0 {
		var item []byte
		item, list, _ = bytes.Cut(list, []byte{','})
		if is(bytes.Trim(item, " \t"), lower) {
			return true
		}
	}
	return false
}

func isToken(b []byte) bool {
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return len(b) > 0
}

func parseLength(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// intern spares the allocation for the content types that runtimes send.
func intern(b []byte) string {
	switch string(b) {
	case "application/json":
		return "application/json"
	case "application/octet-stream":
		return "application/octet-stream"
	case "application/vnd.aws.lambda.error+json":
		return "application/vnd.aws.lambda.error+json"
	}
	return string(b)
}

func trimLine(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'})
}

// unexpected is the error for a connection that ends within a request.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
