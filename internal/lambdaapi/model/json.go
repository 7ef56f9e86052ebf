package model

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// decodeJSON reads a body as a structure.
//
// A package of 50 MB comes as one string of 67 MB: the syntax of the whole body
// is checked first, so that one walk over it, led by the shape, may trust it and
// decode every member from where it stands, without copies in between.
func decodeJSON(s *Shape, body []byte) (Document, error) {
	if !valid(body) {
		return nil, malformed(body)
	}
	d := decoder{data: body}
	v, err := d.value(s)
	if err != nil {
		return nil, err
	}
	doc, ok := v.(Document)
	if !ok { // null
		return Document{}, nil
	}
	return doc, nil
}

// malformed tells what is wrong with the syntax, and where.
func malformed(body []byte) *ParseError {
	what := "it is not JSON"
	var any json.RawMessage
	var syntax *json.SyntaxError
	if err := json.Unmarshal(body, &any); errors.As(err, &syntax) {
		before := body[:min(int(syntax.Offset), len(body))]
		line := bytes.Count(before, []byte("\n")) + 1
		column := len(before) - (bytes.LastIndexByte(before, '\n') + 1)
		what = fmt.Sprintf("%s at [line: %d, column: %d]", syntax.Error(), line, column)
	}
	return &ParseError{Malformed, "Could not parse request body into json: " + what}
}

// CheckJSON returns a [*ParseError] unless payload is one JSON value.
func CheckJSON(payload []byte) error {
	if valid(payload) {
		return nil
	}
	return malformed(payload)
}

// decoder walks over JSON that is known to be valid.
type decoder struct {
	data []byte
	pos  int
}

// next returns the first byte of what follows the white space.
func (d *decoder) next() byte {
	for {
		switch c := d.data[d.pos]; c {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return c
		}
	}
}

// value reads a value of the shape; nil for null.
func (d *decoder) value(s *Shape) (any, error) {
	c := d.next()
	if c == 'n' {
		d.pos += len("null")
		return nil, nil
	}
	switch s.Kind {
	case Structure, Map:
		if c == '{' {
			return d.object(s)
		}
	case List:
		if c == '[' {
			return d.list(s)
		}
	case String:
		if c == '"' {
			return d.str(), nil
		}
	case Blob:
		if c == '"' {
			return d.blob()
		}
	case Boolean:
		if c == 't' || c == 'f' {
			d.skip()
			return c == 't', nil
		}
	case Timestamp:
		return d.timestamp(c)
	case Integer, Long, Double:
		if c == '-' || '0' <= c && c <= '9' {
			return number(s.Kind, d.skip())
		}
	}
	return nil, d.unexpected(c, s)
}

// unexpected says that a value begins with c and can't be of shape s.
func (d *decoder) unexpected(c byte, s *Shape) error {
	switch {
	case c == '{':
		return mismatch("Start of structure or map found where not expected.")
	case c == '[':
		return mismatch("Start of list found where not expected.")
	case s.Kind == List:
		return mismatch("Expected list or null")
	case s.Kind == Structure, s.Kind == Map:
		return mismatch("Expected structure, map or null")
	}
	token := "NUMBER_VALUE"
	switch c {
	case '"':
		token = "STRING_VALUE"
	case 't':
		token = "TRUE_VALUE"
	case 'f':
		token = "FALSE_VALUE"
	}
	return mismatch("%s can not be converted to %s", token, s.Kind)
}

// object reads a structure or a map. Of members that are there twice the last
// one counts; those that the shape does not know are skipped.
func (d *decoder) object(s *Shape) (Document, error) {
	doc := Document{}
	d.pos++ // {
	for d.next() != '}' {
		if d.data[d.pos] == ',' {
			d.pos++
			d.next()
		}
		name := d.str()
		d.next()
		d.pos++ // :
		shape := s.Value
		if s.Kind == Structure {
			member := s.body[name]
			if member == nil {
				d.next()
				d.skip()
				continue
			}
			shape = member.Shape
		}
		v, err := d.value(shape)
		if err != nil {
			return nil, err
		}
		if v != nil || s.Kind == Map {
			doc[name] = v
		} else {
			delete(doc, name)
		}
	}
	d.pos++ // }
	return doc, nil
}

func (d *decoder) list(s *Shape) ([]any, error) {
	items := []any{}
	d.pos++ // [
	for d.next() != ']' {
		if d.data[d.pos] == ',' {
			d.pos++
		}
		v, err := d.value(s.Item)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	d.pos++ // ]
	return items, nil
}

// skip passes over the value that begins here and returns its bytes. It keeps
// no stack: nesting is only counted.
func (d *decoder) skip() []byte {
	start := d.pos
	depth := 0
	for {
		switch d.data[d.pos] {
		case '"':
			d.quoted()
		case '{', '[':
			depth++
			d.pos++
		case '}', ']':
			depth--
			d.pos++
		case ' ', '\t', '\n', '\r', ',', ':':
			d.pos++
			continue // none of them ends a value
		default:
			for d.pos < len(d.data) && !ends(d.data[d.pos]) {
				d.pos++
			}
		}
		if depth == 0 {
			return d.data[start:d.pos]
		}
	}
}

// ends tells whether a number or a literal is over at c.
func ends(c byte) bool {
	switch c {
	case ',', ':', ']', '}', ' ', '\t', '\n', '\r':
		return true
	}
	return false
}

// quoted passes over a string and returns it with its quotes; plain tells that
// what is between them stands for itself.
func (d *decoder) quoted() (quoted []byte, plain bool) {
	start := d.pos
	end := ordinary(d.data, start+1)
	d.pos = text(d.data, end)
	return d.data[start:d.pos], d.data[end] == '"'
}

func (d *decoder) str() string {
	quoted, plain := d.quoted()
	if text := quoted[1 : len(quoted)-1]; plain && utf8.Valid(text) {
		return string(text)
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		panic(err) // the syntax was checked
	}
	return s
}

func (d *decoder) blob() ([]byte, error) {
	start := d.pos
	quoted, plain := d.quoted()
	text := quoted[1 : len(quoted)-1]
	if !plain {
		d.pos = start
		text = []byte(d.str())
	}
	b := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(b, text)
	if err != nil {
		return nil, mismatch("STRING_VALUE can not be converted to a Blob: it is not Base64")
	}
	return b[:n], nil
}

// number reads a number. JSON's 3.0 and 3e2 are integers.
func number(kind Kind, text []byte) (any, error) {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil { // beyond the range of a double
		return nil, mismatch("Numeric value (%.40s) out of range of %s", text, kind)
	}
	if kind == Double {
		return f, nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		if f != math.Trunc(f) {
			return nil, mismatch("NUMBER_VALUE can not be converted to %s", kind)
		}
		// 1<<63 itself is the first float64 that does not fit.
		if f < math.MinInt64 || f >= math.MaxInt64 {
			return nil, mismatch("Numeric value (%.40s) out of range of %s", text, kind)
		}
		n = int64(f)
	}
	if kind == Integer && n != int64(int32(n)) {
		return nil, mismatch("Numeric value (%.40s) out of range of int (%d - %d)", text, math.MinInt32, math.MaxInt32)
	}
	return n, nil
}

// timestamp reads seconds since 1970 or, as some clients write it, ISO 8601.
func (d *decoder) timestamp(c byte) (any, error) {
	switch {
	case c == '"':
		t, err := time.Parse(time.RFC3339, d.str())
		if err != nil {
			return nil, mismatch("STRING_VALUE can not be converted to a Timestamp")
		}
		return t, nil
	case c == '-' || '0' <= c && c <= '9':
		f, err := strconv.ParseFloat(string(d.skip()), 64)
		if err != nil || math.Abs(f) > math.MaxInt32*1e3 {
			return nil, mismatch("NUMBER_VALUE can not be converted to a Timestamp")
		}
		return time.UnixMilli(int64(math.Round(f * 1e3))).UTC(), nil
	}
	return nil, d.unexpected(c, &Shape{Kind: Timestamp})
}
