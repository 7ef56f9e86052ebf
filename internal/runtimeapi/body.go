package runtimeapi

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
)

const (
	// firstBody is how much is allocated on the word of Content-Length alone;
	// beyond it memory follows the bytes that came.
	firstBody = 1 << 20
	// maxChunkLine bounds a line that announces a chunk, with extensions.
	maxChunkLine = 1 << 10
)

// tooLargeError says how large a body above the limit is, as far as is known.
type tooLargeError int64

func (e tooLargeError) Error() string { return fmt.Sprintf("a body of %d bytes", int64(e)) }

// bodyReader reads one request's body from r. After an error that is not a
// tooLargeError the connection is not usable any more.
type bodyReader struct {
	r       *bufio.Reader
	head    *head
	limit   int64
	trailer trailer

	// left is what remains of the Content-Length, or of the present chunk,
	// once begun.
	left  int64
	begun bool
	done  bool
}

// trailer holds what a streaming runtime says after the body when the function
// failed in the middle.
type trailer struct {
	errorType string
	errorBody []byte
}

// read returns the whole body, or a tooLargeError and leaves the rest to drain.
func (b *bodyReader) read() ([]byte, error) {
	var body []byte
	for {
		if err := b.advance(); err != nil {
			return nil, err
		}
		if b.done {
			return body, nil
		}
		if size := int64(len(body)) + b.left; size > b.limit {
			return nil, tooLargeError(size)
		}
		if body == nil {
			body = make([]byte, 0, min(b.left, firstBody))
		}
		for b.left > 0 {
			if len(body) == cap(body) {
				body = grow(body, b.left)
			}
			n := int(min(b.left, int64(cap(body)-len(body))))
			n, err := b.r.Read(body[len(body) : len(body)+n])
			body = body[:len(body)+n]
			b.left -= int64(n)
			if err != nil {
				return nil, unexpected(err)
			}
		}
	}
}

// grow doubles the room of body, but not beyond what is announced.
func grow(body []byte, left int64) []byte {
	room := min(left, max(int64(len(body)), 512))
	return append(make([]byte, 0, int64(len(body))+room), body...)
}

// drain discards what is left of the body, and fails above limit bytes.
func (b *bodyReader) drain(limit int64) error {
	for {
		if err := b.advance(); err != nil {
			return err
		}
		if b.done {
			return nil
		}
		if b.left > limit {
			return errTooMuch
		}
		limit -= b.left
		for b.left > 0 {
			n, err := b.r.Discard(int(min(b.left, readBuffer)))
			b.left -= int64(n)
			if err != nil {
				return unexpected(err)
			}
		}
	}
}

var errTooMuch = errors.New("too much of an unwanted body")

// advance goes to the next bytes of the body, if those of the present part are
// read, and sets done at its end.
func (b *bodyReader) advance() error {
	if b.done || b.left > 0 {
		return nil
	}
	if !b.head.chunked {
		if b.begun || b.head.length <= 0 {
			b.done = true
			return nil
		}
		b.begun = true
		b.left = b.head.length
		return nil
	}
	if b.begun { // each chunk ends in an empty line
		line, err := b.line()
		if err != nil {
			return err
		}
		if len(line) != 0 {
			return errSyntax
		}
	}
	b.begun = true
	line, err := b.line()
	if err != nil {
		return err
	}
	size, ok := parseChunkSize(line)
	if !ok {
		return errSyntax
	}
	if size > 0 {
		b.left = size
		return nil
	}
	b.done = true
	return b.readTrailer()
}

// line returns the next line, which is short or an error.
func (b *bodyReader) line() ([]byte, error) {
	line, err := b.r.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, errSyntax
		}
		return nil, unexpected(err)
	}
	if len(line) > maxChunkLine {
		return nil, errSyntax
	}
	return trimLine(line), nil
}

func (b *bodyReader) readTrailer() error {
	for size := 0; ; {
		line, err := b.trailerLine(maxHead - size)
		if err != nil {
			return err
		}
		size += len(line)
		line = trimLine(line)
		if len(line) == 0 {
			return nil
		}
		name := fieldName(line)
		if name == nil || !isToken(name) {
			return errSyntax
		}
		value := bytes.Trim(line[len(name)+1:], " \t")
		switch {
		case is(name, "lambda-runtime-function-error-type"):
			b.trailer.errorType = string(value)
		case is(name, "lambda-runtime-function-error-body"):
			body, err := base64.StdEncoding.DecodeString(string(value))
			if err != nil {
				return errSyntax
			}
			b.trailer.errorBody = body
		}
	}
}

// trailerLine returns a line of any length up to limit: the error body is in
// one, with its stack trace.
func (b *bodyReader) trailerLine(limit int) ([]byte, error) {
	var long []byte
	for {
		part, err := b.r.ReadSlice('\n')
		if len(long)+len(part) > limit {
			return nil, errHeadTooLarge
		}
		switch {
		case err == nil && long == nil:
			return part, nil
		case err == nil:
			return append(long, part...), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, unexpected(err)
		}
		long = append(long, part...)
	}
}

// parseChunkSize reads the hexadecimal size before any extension.
func parseChunkSize(line []byte) (int64, bool) {
	line, _, _ = bytes.Cut(line, []byte{';'})
	line = bytes.TrimRight(line, " \t")
	if len(line) == 0 || len(line) > 15 {
		return 0, false
	}
	var n int64
	for _, c := range line {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | int64(c)
	}
	return n, true
}
