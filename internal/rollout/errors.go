package rollout

import "fmt"

// Kind says what is wrong with a request.
type Kind int

// The kinds of [Error].
const (
	Invalid  Kind = iota + 1 // it can't be meant
	NotFound                 // there is no such roll-out
	Conflict                 // the state of the roll-out or of the alias forbids it now
)

// Error is why a request was refused, in words for the user.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return e.Message }

func refuse(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}
