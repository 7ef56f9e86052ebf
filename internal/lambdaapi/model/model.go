// Package model is the Lambda API as data: which operations there are, how HTTP
// carries them, and what their inputs must satisfy. One mechanism serves all
// operations:
//
//	match, ok := model.Lambda().Match(r.Method, r.URL.EscapedPath(), r.URL.RawQuery)
//	input, err := match.Parse(r, body)        // path, query, header and body as one Document
//	err = match.Operation.Validate(input)     // required members, lengths, ranges, patterns, enums
//	input.Bind(&request)                      // into a type of package wire
//	…
//	err = match.Operation.Encode(w, &response)
//
// Parse fails with a [*ParseError] when the request is not even of the right
// types, Validate with a [*ValidationError]; both carry the words in which AWS
// tells them. The facts are in model.json, trimmed from the published facts of
// the API by the generator under gen; package wire has the Go types.
//
// # Differences from AWS
//
// Lengths of strings are counted in characters. Members that the facts don't
// know are ignored, as in AWS. A null is an absent member.
package model

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/hearthd/hearth/internal/lambdaapi/model/facts"
)

//go:generate go run ./gen -facts=$LAMBDA_API_FACTS

//go:embed model.json
var lambdaJSON []byte

// Lambda returns the model of the Lambda API. It is read at the first call and
// never changes.
var Lambda = sync.OnceValue(func() *Model {
	m, err := read(lambdaJSON)
	if err != nil {
		panic("model.json: " + err.Error()) // it is part of the program
	}
	return m
})

// Model is an API.
type Model struct {
	// Operations are ordered by name.
	Operations []*Operation
	exceptions map[string]*Exception
	router     router
}

// Operation is one operation of the API.
type Operation struct {
	Name   string
	Method string
	Path   string // with its parameters in braces
	Query  string // what tells it from another one of the same path, as in List=ALL
	// Status of an answer, where the output has no member for it.
	Status     int
	Input      *Shape
	Output     *Shape // nil when there is nothing to answer
	Deprecated bool

	uri []Member // the input's members in the path, by their order there
}

// Kind is what a value of a shape is.
type Kind int

// The kinds of shapes, with the Go type that stands for each in a [Document].
const (
	Structure Kind = iota + 1 // Document
	List                      // []any
	Map                       // Document
	String                    // string
	Integer                   // int64, within 32 bits
	Long                      // int64
	Double                    // float64
	Boolean                   // bool
	Blob                      // []byte
	Timestamp                 // time.Time
)

var kinds = map[string]Kind{
	"structure": Structure, "list": List, "map": Map, "string": String, "integer": Integer,
	"long": Long, "double": Double, "boolean": Boolean, "blob": Blob, "timestamp": Timestamp,
}

// Shape is a type with its constraints.
type Shape struct {
	Name      string
	Kind      Kind
	Members   []Member // of a structure, as the API declares them
	Item      *Shape   // of a list
	Key       *Shape   // of a map
	Value     *Shape   // of a map
	Enum      []string
	Min, Max  *float64 // of a length or a number
	Pattern   string   // "" for none
	Sensitive bool
	// Payload names the member that is the whole body; "" for none.
	Payload string

	matches func(string) bool  // the whole of a string matches Pattern
	body    map[string]*Member // of a structure: members in a JSON body, by name
}

// Member is a member of a structure.
type Member struct {
	Name     string
	Shape    *Shape
	In       Location
	As       string // its name in path, query or header
	Required bool
}

// Location is where HTTP carries a member.
type Location string

// The locations of members.
const (
	InBody   Location = ""
	InPath   Location = "uri"
	InQuery  Location = "querystring"
	InHeader Location = "header"
	InStatus Location = "statusCode"
)

// Exception is an error that the API declares.
type Exception struct {
	Name   string
	Status int
	// MessageMember is what the message is called in the body: AWS has both
	// "message" and "Message".
	MessageMember string
}

// Exception returns a declared exception.
func (m *Model) Exception(name string) (*Exception, bool) {
	e, ok := m.exceptions[name]
	return e, ok
}

// Operation returns the operation called name, or nil.
func (m *Model) Operation(name string) *Operation {
	i, ok := slices.BinarySearchFunc(m.Operations, name, func(o *Operation, name string) int {
		switch {
		case o.Name < name:
			return -1
		case o.Name > name:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return m.Operations[i]
}

func read(in []byte) (*Model, error) {
	var f facts.Facts
	if err := json.Unmarshal(in, &f); err != nil {
		return nil, err
	}
	shapes := make(map[string]*Shape, len(f.Shapes))
	for name := range f.Shapes {
		shapes[name] = &Shape{Name: name}
	}
	m := &Model{exceptions: map[string]*Exception{}}
	for name, from := range f.Shapes {
		if err := shapes[name].fill(from, shapes); err != nil {
			return nil, fmt.Errorf("shape %s: %w", name, err)
		}
		if from.Status != 0 {
			m.exceptions[name] = exception(name, from)
		}
	}
	for _, from := range f.Operations {
		op := &Operation{
			Name: from.Name, Method: from.Method, Path: from.Path, Query: from.Query, Status: from.Status,
			Input: shapes[from.Input], Output: shapes[from.Output], Deprecated: from.Deprecated,
		}
		if op.Input == nil {
			return nil, fmt.Errorf("operation %s has no input", op.Name)
		}
		if err := m.router.add(op); err != nil {
			return nil, fmt.Errorf("operation %s: %w", op.Name, err)
		}
		m.Operations = append(m.Operations, op)
	}
	return m, nil
}

func (s *Shape) fill(from facts.Shape, shapes map[string]*Shape) error {
	s.Kind = kinds[from.Type]
	if s.Kind == 0 {
		return fmt.Errorf("unknown type %q", from.Type)
	}
	s.Item, s.Key, s.Value = shapes[from.Item], shapes[from.Key], shapes[from.Value]
	s.Enum, s.Min, s.Max, s.Sensitive, s.Payload = from.Enum, from.Min, from.Max, from.Sensitive, from.Payload
	if from.Pattern != "" {
		s.Pattern = from.Pattern
		s.matches = matcher(from.Pattern)
	}
	if s.Kind == Structure {
		s.body = map[string]*Member{}
		s.Members = make([]Member, len(from.Members))
		for i, m := range from.Members {
			as := m.As
			if as == "" {
				as = m.Name
			}
			s.Members[i] = Member{Name: m.Name, Shape: shapes[m.Shape], In: Location(m.In), As: as, Required: m.Required}
			if s.Members[i].Shape == nil {
				return fmt.Errorf("unknown shape %s", m.Shape)
			}
			if m.In == "" && m.Name != s.Payload {
				s.body[m.Name] = &s.Members[i]
			}
		}
	}
	return nil
}

// member returns the member called name, or nil.
func (s *Shape) member(name string) *Member {
	for i := range s.Members {
		if s.Members[i].Name == name {
			return &s.Members[i]
		}
	}
	return nil
}

func exception(name string, from facts.Shape) *Exception {
	e := &Exception{Name: name, Status: from.Status, MessageMember: "message"}
	for _, m := range from.Members {
		if m.Name == "Message" {
			e.MessageMember = m.Name
		}
	}
	return e
}
