package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// UnreachableError says that nobody answers at the node's address.
type UnreachableError struct {
	Endpoint string
	Err      error
}

func (e *UnreachableError) Error() string {
	reason := e.Err.Error()
	var op *net.OpError
	if errors.As(e.Err, &op) {
		reason = op.Err.Error()
	}
	return fmt.Sprintf("cannot reach a node at %s: %s. Start one with `hearth serve`, or say where it is with --endpoint or HEARTH_ENDPOINT", e.Endpoint, strings.TrimPrefix(reason, "connect: "))
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// APIError is a node's refusal.
type APIError struct {
	Status  int
	Code    string // Lambda's exception, such as InvalidParameterValueException
	Message string
	// Hint says what to do, when there is something to say.
	Hint string
}

func (e *APIError) Error() string {
	s := e.Message
	if e.Code != "" {
		s = e.Code + ": " + s
	} else if e.Status >= 300 {
		s = http.StatusText(e.Status) + ": " + s
	}
	if e.Hint != "" {
		s += "\n" + e.Hint
	}
	return s
}

// NotFoundError says that there is no such function.
type NotFoundError struct {
	Function string
	Similar  []string // names of functions that are there
	Err      error
}

func (e *NotFoundError) Error() string {
	return "there is no function " + e.Function + didYouMean(e.Function, e.Similar)
}

func (e *NotFoundError) Unwrap() error { return e.Err }

const notFound = "ResourceNotFoundException"

// explain turns an error of the SDK's into one of this package's. function is
// the one that the request was about, or "".
func (c *Client) explain(ctx context.Context, err error, function string) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var api *APIError
	var sdk smithy.APIError
	switch {
	case errors.As(err, &api):
	case errors.As(err, &sdk):
		api = &APIError{Code: sdk.ErrorCode(), Message: sdk.ErrorMessage()}
		var response *awshttp.ResponseError
		if errors.As(err, &response) {
			api.Status = response.HTTPStatusCode()
		}
	default:
		var unreachable *smithyhttp.RequestSendError
		if errors.As(err, &unreachable) {
			return &UnreachableError{Endpoint: c.Endpoint, Err: unreachable.Err}
		}
		return err
	}
	if (api.Code == notFound || api.Code == "" && api.Status == http.StatusNotFound) && function != "" && !strings.Contains(function, ":") && c.missing(ctx, function) {
		names, err := c.Names(ctx)
		if err != nil {
			names = nil // no suggestions, then
		}
		return &NotFoundError{Function: function, Similar: similar(function, names), Err: api}
	}
	return c.explainAPI(api)
}

// explainAPI adds a hint to an error that the user can do something about.
func (c *Client) explainAPI(e *APIError) error {
	switch e.Code {
	case "UnrecognizedClientException":
		e.Hint = fmt.Sprintf("The node at %s does not know the access key that was found in %s. Its first account's key is in the file \"credentials\" in its data directory: name it with --credentials, or set AWS_SHARED_CREDENTIALS_FILE.", c.Endpoint, c.Source)
	case "InvalidSignatureException", "SignatureDoesNotMatch":
		e.Hint = fmt.Sprintf("The key was found in %s. Either its secret is wrong or the clocks of this machine and the node's differ.", c.Source)
	}
	return e
}
