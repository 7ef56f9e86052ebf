package model

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"time"
)

// Document is an input as it came, by the names of its members: what [Kind]
// says stands for each value. Absent members are absent.
type Document map[string]any

// The names of the exceptions that a [ParseError] is.
const (
	// Malformed says that the body is not JSON.
	Malformed = "InvalidRequestContentException"
	// Mismatched says that something is of the wrong type.
	Mismatched = "SerializationException"
)

// ParseError says that a request can't be read, in AWS's words.
type ParseError struct {
	Exception string // Malformed or Mismatched
	Message   string
}

func (e *ParseError) Error() string { return e.Exception + ": " + e.Message }

func mismatch(format string, args ...any) *ParseError {
	return &ParseError{Mismatched, fmt.Sprintf(format, args...)}
}

// Parse collects the members of the input from the path, query, header and
// body of a request. It keeps no reference to body, except where the body as a
// whole is a member. The error is a [*ParseError].
func (m *Match) Parse(r *http.Request, body []byte) (Document, error) {
	in := m.Operation.Input
	doc, err := parseBody(in, body)
	if err != nil {
		return nil, err
	}
	for i, member := range m.Operation.uri {
		text, ok := m.Param(i)
		if !ok {
			return nil, mismatch("The path has a malformed escape at '%s'.", lowerFirst(member.Name))
		}
		if doc[member.Name], err = parseText(member.Shape, text); err != nil {
			return nil, err
		}
	}
	var query url.Values
	for i := range in.Members {
		member := &in.Members[i]
		var given []string
		switch member.In {
		case InQuery:
			if query == nil {
				query = r.URL.Query()
			}
			given = query[member.As]
		case InHeader:
			given = r.Header.Values(member.As)
		}
		if len(given) == 0 {
			continue
		}
		if doc[member.Name], err = parseTexts(member.Shape, given); err != nil {
			return nil, err
		}
	}
	return doc, nil
}

func parseBody(in *Shape, body []byte) (Document, error) {
	switch {
	case in.Payload != "" && len(body) > 0:
		return parsePayload(in, body)
	case in.Payload != "" || len(in.body) == 0 || len(body) == 0:
		return Document{}, nil
	}
	return decodeJSON(in, body)
}

// parsePayload takes the body for a member: as it is, or as JSON where the
// member is a structure.
func parsePayload(in *Shape, body []byte) (Document, error) {
	member := in.member(in.Payload)
	if member.Shape.Kind != Structure {
		return Document{in.Payload: body}, nil
	}
	doc, err := decodeJSON(member.Shape, body)
	if err != nil {
		return nil, err
	}
	return Document{in.Payload: doc}, nil
}

// parseTexts reads a parameter of the query or a header, a list as often as it
// stands there.
func parseTexts(s *Shape, given []string) (any, error) {
	if s.Kind != List {
		return parseText(s, given[0])
	}
	list := make([]any, len(given))
	for i, text := range given {
		var err error
		if list[i], err = parseText(s.Item, text); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// parseText reads a value outside the body.
func parseText(s *Shape, text string) (any, error) {
	switch s.Kind {
	case Integer, Long:
		bits := 64
		if s.Kind == Integer {
			bits = 32
		}
		if n, err := strconv.ParseInt(text, 10, bits); err == nil {
			return n, nil
		}
	case Double:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f, nil
		}
	case Boolean:
		switch text {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	case Timestamp:
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			return t, nil
		}
	case Blob:
		if b, err := base64.StdEncoding.DecodeString(text); err == nil {
			return b, nil
		}
	default:
		return text, nil
	}
	return nil, mismatch("STRING_VALUE can not be converted to %s", s.Kind)
}

// String is the kind as AWS's messages have it, with an article.
func (k Kind) String() string {
	switch k {
	case Integer:
		return "an Integer"
	case Long:
		return "a Long"
	case Double:
		return "a Double"
	case Boolean:
		return "a Boolean"
	case Blob:
		return "a Blob"
	case Timestamp:
		return "a Timestamp"
	case String:
		return "a String"
	case List:
		return "a List"
	case Map:
		return "a Map"
	default:
		return "a Structure"
	}
}

// Bind sets the fields of the structure that to points to, a type of package
// wire, from the members of the same name.
func (d Document) Bind(to any) { bind(reflect.ValueOf(to).Elem(), d) }

// bind sets v from a value of a [Document]. The types of package wire are made
// from the shapes that the document was parsed by, so that they always fit.
func bind(v reflect.Value, from any) {
	switch from := from.(type) {
	case nil:
	case Document:
		switch v.Kind() {
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
			bind(v.Elem(), from)
		case reflect.Map:
			v.Set(reflect.MakeMapWithSize(v.Type(), len(from)))
			for key, value := range from {
				item := reflect.New(v.Type().Elem()).Elem()
				bind(item, value)
				v.SetMapIndex(reflect.ValueOf(key), item)
			}
		default:
			for name, value := range from {
				bind(v.FieldByName(name), value)
			}
		}
	case []any:
		v.Set(reflect.MakeSlice(v.Type(), len(from), len(from)))
		for i, value := range from {
			bind(v.Index(i), value)
		}
	default:
		value := reflect.ValueOf(from)
		if v.Kind() == reflect.Pointer {
			v.Set(reflect.New(v.Type().Elem()))
			v = v.Elem()
		}
		if t, ok := from.(time.Time); ok {
			v.Field(0).Set(reflect.ValueOf(t))
			return
		}
		v.Set(value)
	}
}
