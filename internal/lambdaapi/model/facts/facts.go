// Package facts is the format of model.json: the facts of the API, trimmed to
// what package model needs. The generator writes it, package model reads it.
package facts

// Facts are the operations of an API and the shapes they are made of.
type Facts struct {
	Operations []Operation      `json:"operations"` // by name
	Shapes     map[string]Shape `json:"shapes"`
}

// Operation is one operation and how HTTP carries it.
type Operation struct {
	Name   string `json:"name"`
	Method string `json:"method"`
	// Path has its parameters in braces.
	Path string `json:"path"`
	// Query is a parameter that tells the operation from another one of the
	// same path, as in List=ALL.
	Query      string `json:"query,omitempty"`
	Status     int    `json:"status"`
	Input      string `json:"input,omitempty"`
	Output     string `json:"output,omitempty"`
	Deprecated bool   `json:"deprecated,omitempty"`
}

// Shape is a type with its constraints.
type Shape struct {
	Type    string   `json:"type"`
	Members []Member `json:"members,omitempty"` // of a structure
	Item    string   `json:"item,omitempty"`    // of a list
	Key     string   `json:"key,omitempty"`     // of a map
	Value   string   `json:"value,omitempty"`   // of a map
	Enum    []string `json:"enum,omitempty"`
	Min     *float64 `json:"min,omitempty"` // length or value
	Max     *float64 `json:"max,omitempty"`
	Pattern string   `json:"pattern,omitempty"`
	// Payload names the member that is the whole body.
	Payload   string `json:"payload,omitempty"`
	Sensitive bool   `json:"sensitive,omitempty"`
	Status    int    `json:"status,omitempty"` // of an exception
}

// Member is a member of a structure.
type Member struct {
	Name     string `json:"name"`
	Shape    string `json:"shape"`
	In       string `json:"in,omitempty"` // uri, querystring, header, statusCode; else the body
	As       string `json:"as,omitempty"` // its name there, when not Name
	Required bool   `json:"required,omitempty"`
}
