package lambdaapi

import (
	"context"
	"net/http"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/lambdaapi/model"
)

// call is one request for an operation, authenticated and valid.
type call struct {
	*API
	ctx     context.Context
	request *http.Request
	answer  http.Header // of the answer
	caller  account.ID
	op      *model.Operation
}

// handler answers one call.
type handler func(c *call, input model.Document, w http.ResponseWriter) error

// answers makes a handler of an operation with input and output types of
// package wire.
func answers[In, Out any](do func(*call, *In) (*Out, error)) handler {
	return func(c *call, input model.Document, w http.ResponseWriter) error {
		in := new(In)
		input.Bind(in)
		out, err := do(c, in)
		if err != nil {
			return err
		}
		return c.op.Encode(w, out)
	}
}

// does makes a handler of an operation without output.
func does[In any](do func(*call, *In) error) handler {
	return func(c *call, input model.Document, w http.ResponseWriter) error {
		in := new(In)
		input.Bind(in)
		if err := do(c, in); err != nil {
			return err
		}
		return c.op.Encode(w, nil)
	}
}

// value is what p points to, or the zero value of an absent member.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
