package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hearthd/hearth/internal/lambdaapi/model/facts"
)

// source is as much of the facts' format as matters here.
type source struct {
	Operations map[string]struct {
		HTTP struct {
			Method     string
			RequestURI string `json:"requestUri"`
			Status     int    `json:"responseCode"`
		} `json:"http"`
		Input, Output *struct{ Shape string }
		Deprecated    bool
	}
	Shapes map[string]sourceShape
}

type sourceShape struct {
	Type       string
	Members    json.RawMessage // an object whose order matters
	Required   []string
	Member     *struct{ Shape string }
	Key, Value *struct{ Shape string }
	Enum       []string
	Min, Max   *float64
	Pattern    string
	Payload    string
	Sensitive  bool
	Error      *struct {
		Status int `json:"httpStatusCode"`
	}
}

// trim reduces the facts to what package model uses, one line for each
// operation and shape, in an order that keeps differences small.
func trim(in []byte) ([]byte, error) {
	var src source
	if err := json.Unmarshal(in, &src); err != nil {
		return nil, err
	}
	t := trimmer{src: src, shapes: map[string]facts.Shape{}}
	var out facts.Facts
	for _, name := range slices.Sorted(maps.Keys(src.Operations)) {
		o := src.Operations[name]
		path, query, _ := strings.Cut(o.HTTP.RequestURI, "?")
		op := facts.Operation{Name: name, Method: o.HTTP.Method, Path: path, Query: query, Status: o.HTTP.Status, Deprecated: o.Deprecated}
		if o.Input != nil {
			op.Input = o.Input.Shape
		}
		if o.Output != nil {
			op.Output = o.Output.Shape
		}
		out.Operations = append(out.Operations, op)
		for _, shape := range []string{op.Input, op.Output} {
			if err := t.add(shape); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	for name, s := range src.Shapes {
		if s.Error != nil {
			if err := t.add(name); err != nil {
				return nil, err
			}
		}
	}
	out.Shapes = t.shapes
	return lines(out)
}

type trimmer struct {
	src    source
	shapes map[string]facts.Shape
}

// add takes a shape over, with all it refers to.
func (t *trimmer) add(name string) error {
	if _, done := t.shapes[name]; done || name == "" {
		return nil
	}
	s, ok := t.src.Shapes[name]
	if !ok {
		return fmt.Errorf("there is no shape %s", name)
	}
	out := facts.Shape{Type: s.Type, Enum: s.Enum, Min: s.Min, Max: s.Max, Pattern: s.Pattern, Payload: s.Payload, Sensitive: s.Sensitive}
	if s.Error != nil {
		out.Status = s.Error.Status
	}
	t.shapes[name] = out // before what it refers to, which may be itself
	for ref, to := range map[*struct{ Shape string }]*string{s.Member: &out.Item, s.Key: &out.Key, s.Value: &out.Value} {
		if ref != nil {
			*to = ref.Shape
			if err := t.add(ref.Shape); err != nil {
				return err
			}
		}
	}
	var err error
	if out.Members, err = t.members(s); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	t.shapes[name] = out
	return nil
}

// members keeps the order in which the facts declare them, which is the order
// in which violations are told.
func (t *trimmer) members(s sourceShape) ([]facts.Member, error) {
	if s.Members == nil {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(s.Members))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var out []facts.Member
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var m struct{ Shape, Location, LocationName string }
		if err := d.Decode(&m); err != nil {
			return nil, err
		}
		member := facts.Member{Name: name.(string), Shape: m.Shape, In: m.Location, As: m.LocationName}
		member.Required = slices.Contains(s.Required, member.Name)
		if member.As == member.Name {
			member.As = ""
		}
		out = append(out, member)
		if err := t.add(m.Shape); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// lines is f as JSON with a line for each operation and shape.
func lines(f facts.Facts) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	put := func(prefix string, v any, last bool) error {
		b.WriteString(prefix)
		if err := enc.Encode(v); err != nil {
			return err
		}
		if !last {
			b.Truncate(b.Len() - 1)
			b.WriteString(",\n")
		}
		return nil
	}
	b.WriteString("{\"operations\":[\n")
	for i, op := range f.Operations {
		if err := put("", op, i == len(f.Operations)-1); err != nil {
			return nil, err
		}
	}
	b.WriteString("],\"shapes\":{\n")
	names := slices.Sorted(maps.Keys(f.Shapes))
	for i, name := range names {
		if err := put(fmt.Sprintf("%q:", name), f.Shapes[name], i == len(names)-1); err != nil {
			return nil, err
		}
	}
	b.WriteString("}}\n")
	return b.Bytes(), nil
}
