package function

import (
	"errors"
	"fmt"
)

// Kind says which of Lambda's exceptions an [Error] is; package lambdaapi maps
// kinds to exceptions and statuses in one place.
type Kind int

// The kinds of [Error].
const (
	// NotFound: ResourceNotFoundException.
	NotFound Kind = iota + 1
	// AlreadyExists: ResourceConflictException, the name or number is taken.
	AlreadyExists
	// Conflict: ResourceConflictException, the resource's state forbids it now.
	Conflict
	// NotReady: ResourceConflictException, the function is still being created
	// or its creation failed. Waiting can help when the state is Pending.
	NotReady
	// PreconditionFailed: PreconditionFailedException, another RevisionId.
	PreconditionFailed
	// InvalidParameter: InvalidParameterValueException.
	InvalidParameter
	// CodeStorageExceeded: CodeStorageExceededException.
	CodeStorageExceeded
	// PolicyLengthExceeded: PolicyLengthExceededException.
	PolicyLengthExceeded
)

// Error is a rule of the catalog that a request broke, in Lambda's words. A
// failure of the store below is not an Error.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return e.Message }

// IsKind reports whether err is, or wraps, an [Error] of kind k.
func IsKind(err error, k Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == k
}

func fail(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}

func errFunctionNotFound(arn string) *Error {
	return fail(NotFound, "Function not found: %s", arn)
}

func errAliasNotFound(arn string) *Error {
	return fail(NotFound, "Cannot find alias arn: %s", arn)
}

func errUpdateInProgress(arn string) *Error {
	return fail(Conflict, "The operation cannot be performed at this time. An update is in progress for resource: %s", arn)
}

func errPending() *Error {
	return fail(Conflict, "The operation cannot be performed at this time. The function is currently in the following state: Pending")
}

func errState(s State) *Error {
	return fail(NotReady, "The operation cannot be performed at this time. The function is currently in the following state: %s", s)
}

func errRevision() *Error {
	return fail(PreconditionFailed, "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id")
}
