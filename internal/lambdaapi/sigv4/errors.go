package sigv4

import (
	"fmt"
	"net/http"
)

// The names of the exceptions, as AWS gives them.
const (
	MissingAuthenticationToken = "MissingAuthenticationTokenException"
	IncompleteSignature        = "IncompleteSignatureException"
	InvalidSignature           = "InvalidSignatureException"
	UnrecognizedClient         = "UnrecognizedClientException"
)

// Error is why a request was refused, in AWS's words.
type Error struct {
	Name    string // of the exception
	Status  int    // of the answer
	Message string // for the client; it holds nothing secret
}

func (e *Error) Error() string { return e.Name + ": " + e.Message }

var (
	errMissing    = &Error{MissingAuthenticationToken, http.StatusForbidden, "Missing Authentication Token"}
	errUnknownKey = &Error{UnrecognizedClient, http.StatusForbidden, "The security token included in the request is invalid."}
	errMismatch   = invalid("The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
)

func invalid(format string, args ...any) *Error {
	return &Error{InvalidSignature, http.StatusForbidden, fmt.Sprintf(format, args...)}
}

func incomplete(format string, args ...any) *Error {
	return &Error{IncompleteSignature, http.StatusBadRequest, fmt.Sprintf(format, args...)}
}
