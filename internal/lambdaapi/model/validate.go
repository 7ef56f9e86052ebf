package model

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ValidationError tells all that an input violates.
type ValidationError struct {
	Violations []Violation
}

// Error is the message of a ValidationException:
//
//	2 validation errors detected: Value null at 'role' failed to satisfy constraint: Member must not be null; Value '0' at …
func (e *ValidationError) Error() string {
	var b strings.Builder
	if n := len(e.Violations); n == 1 {
		b.WriteString("1 validation error detected: ")
	} else {
		fmt.Fprintf(&b, "%d validation errors detected: ", n)
	}
	for i, v := range e.Violations {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(v.String())
	}
	return b.String()
}

// Violation is one constraint that one member does not satisfy.
type Violation struct {
	Shape *Shape
	// Path names the member as AWS does: "environment.variables".
	Path string
	// Value is the member as the message shows it: "null", "'x'", or "" where
	// it is sensitive.
	Value string
	// Constraint is a sentence: "Member must not be null".
	Constraint string
}

func (v Violation) String() string {
	value := v.Value
	if value != "" {
		value += " "
	}
	return "Value " + value + "at '" + v.Path + "' failed to satisfy constraint: " + v.Constraint
}

const notNull = "Member must not be null"

// Validate returns a [*ValidationError] unless the input satisfies every
// constraint of the API's facts.
func (o *Operation) Validate(input Document) error {
	var v validator
	v.structure(o.Input, input, "")
	if v.found == nil {
		return nil
	}
	return &ValidationError{v.found}
}

type validator struct {
	found []Violation
}

func (v *validator) add(s *Shape, path string, value any, constraint string) {
	v.found = append(v.found, Violation{Shape: s, Path: path, Value: shown(s, value), Constraint: constraint})
}

func (v *validator) structure(s *Shape, doc Document, path string) {
	for i := range s.Members {
		m := &s.Members[i]
		at := lowerFirst(m.Name)
		if path != "" {
			at = path + "." + at
		}
		value, ok := doc[m.Name]
		if !ok {
			if m.Required {
				v.add(m.Shape, at, nil, notNull)
			}
			continue
		}
		v.value(m.Shape, value, at)
	}
}

func (v *validator) value(s *Shape, value any, path string) {
	for _, constraint := range s.violated(value) {
		v.add(s, path, value, constraint)
	}
	switch s.Kind {
	case Structure:
		v.structure(s, value.(Document), path)
	case List:
		v.list(s, value.([]any), path)
	case Map:
		v.mapping(s, value.(Document), path)
	}
}

// list tells the violations of simple items in one sentence with all their
// constraints, as AWS does, and those of structures one by one.
func (v *validator) list(s *Shape, items []any, path string) {
	for i, item := range items {
		switch {
		case item == nil || s.Item.simple() && len(s.Item.violated(item)) > 0:
			v.add(s, path, items, "Member must satisfy constraint: ["+strings.Join(append(s.Item.constraints(), notNull), ", ")+"]")
			return
		case !s.Item.simple():
			v.value(s.Item, item, path+"."+strconv.Itoa(i+1)+".member")
		}
	}
}

func (v *validator) mapping(s *Shape, m Document, path string) {
	badKey, badValue := false, false
	for _, key := range slices.Sorted(maps.Keys(m)) {
		value := m[key]
		badKey = badKey || len(s.Key.violated(key)) > 0
		switch {
		case value == nil || s.Value.simple() && len(s.Value.violated(value)) > 0:
			badValue = true
		case !s.Value.simple():
			v.value(s.Value, value, path+"."+key+".member")
		}
	}
	if badKey {
		v.add(s, path, m, "Map keys must satisfy constraint: ["+strings.Join(s.Key.constraints(), ", ")+"]")
	}
	if badValue {
		v.add(s, path, m, "Map value must satisfy constraint: ["+strings.Join(append(s.Value.constraints(), notNull), ", ")+"]")
	}
}

// simple tells whether a value has no members or items of its own.
func (s *Shape) simple() bool { return s.Kind != Structure && s.Kind != List && s.Kind != Map }

// violated lists the constraints of the shape itself that a value does not
// satisfy, not those of what is in it.
func (s *Shape) violated(value any) []string {
	if s.Enum == nil && s.Min == nil && s.Max == nil && s.matches == nil {
		return nil
	}
	var out []string
	size, isLength := measure(value)
	if s.Max != nil && size > *s.Max {
		out = append(out, bound(isLength, "less", *s.Max))
	}
	if s.Min != nil && size < *s.Min {
		out = append(out, bound(isLength, "greater", *s.Min))
	}
	if text, ok := value.(string); ok {
		if s.Enum != nil && !slices.Contains(s.Enum, text) {
			out = append(out, s.enumConstraint())
		}
		if s.matches != nil && !s.matches(text) {
			out = append(out, s.patternConstraint())
		}
	}
	return out
}

// constraints lists all constraints of the shape itself.
func (s *Shape) constraints() []string {
	var out []string
	_, number := map[Kind]bool{Integer: true, Long: true, Double: true}[s.Kind]
	if s.Max != nil {
		out = append(out, bound(!number, "less", *s.Max))
	}
	if s.Min != nil {
		out = append(out, bound(!number, "greater", *s.Min))
	}
	if s.Enum != nil {
		out = append(out, s.enumConstraint())
	}
	if s.Pattern != "" {
		out = append(out, s.patternConstraint())
	}
	return out
}

func (s *Shape) enumConstraint() string {
	return "Member must satisfy enum value set: [" + strings.Join(s.Enum, ", ") + "]"
}

func (s *Shape) patternConstraint() string {
	return "Member must satisfy regular expression pattern: " + s.Pattern
}

func bound(isLength bool, than string, limit float64) string {
	what := "value"
	if isLength {
		what = "length"
	}
	return fmt.Sprintf("Member must have %s %s than or equal to %s", what, than, formatFloat(limit))
}

func formatFloat(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// measure is what minimum and maximum apply to.
func measure(value any) (size float64, isLength bool) {
	switch value := value.(type) {
	case string:
		return float64(utf8.RuneCountInString(value)), true
	case []byte:
		return float64(len(value)), true
	case []any:
		return float64(len(value)), true
	case Document:
		return float64(len(value)), true
	case int64:
		return float64(value), false
	case float64:
		if math.IsNaN(value) {
			return math.Inf(1), false
		}
		return value, false
	}
	return 0, false
}

// maxShown bounds what a message repeats of a value.
const maxShown = 1024

// shown is a value as messages have it.
func shown(s *Shape, value any) string {
	if value == nil {
		return "null"
	}
	if s.Sensitive {
		return ""
	}
	text := plain(s, value)
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "..."
	}
	return "'" + text + "'"
}

// plain writes a value in the way of Java's toString, which AWS's messages have.
func plain(s *Shape, value any) string {
	if s.Sensitive {
		return "***"
	}
	switch value := value.(type) {
	case string:
		return value
	case int64:
		return strconv.FormatInt(value, 10)
	case float64:
		return formatFloat(value)
	case bool:
		return strconv.FormatBool(value)
	case time.Time:
		return value.Format(time.RFC3339)
	case []any:
		parts := make([]string, len(value))
		for i, item := range value {
			parts[i] = plain(s.Item, item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case Document:
		parts := make([]string, 0, len(value))
		for _, key := range slices.Sorted(maps.Keys(value)) {
			of := s.Value
			if s.Kind == Structure {
				of = s.member(key).Shape
			}
			parts = append(parts, key+"="+plain(of, value[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case nil:
		return "null"
	default: // a blob
		return "..."
	}
}

func lowerFirst(name string) string {
	if name != "" && 'A' <= name[0] && name[0] <= 'Z' {
		return string(name[0]-'A'+'a') + name[1:]
	}
	return name
}
