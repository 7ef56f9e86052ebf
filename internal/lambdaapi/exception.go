package lambdaapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hearthd/hearth/internal/code"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/invoke"
	"github.com/hearthd/hearth/internal/lambdaapi/model"
	"github.com/hearthd/hearth/internal/lambdaapi/sigv4"
)

// The names of exceptions; see the API's facts, and [undeclared].
const (
	accessDenied          = "AccessDeniedException"
	codeSigningNotFound   = "CodeSigningConfigNotFoundException"
	codeStorageExceeded   = "CodeStorageExceededException"
	entityTooLarge        = "RequestEntityTooLargeException"
	invalidParameter      = "InvalidParameterValueException"
	invalidRequest        = "InvalidRequestException"
	invalidRequestContent = "InvalidRequestContentException"
	invalidRuntime        = "InvalidRuntimeException"
	policyLengthExceeded  = "PolicyLengthExceededException"
	preconditionFailed    = "PreconditionFailedException"
	provisionedNotFound   = "ProvisionedConcurrencyConfigNotFoundException"
	resourceConflict      = "ResourceConflictException"
	resourceNotFound      = "ResourceNotFoundException"
	serviceException      = "ServiceException"
	tooManyRequests       = "TooManyRequestsException"
	unknownOperationName  = "UnknownOperationException"
	validation            = "ValidationException"
)

// undeclared are the exceptions that Lambda answers without declaring them.
var undeclared = map[string]model.Exception{
	accessDenied:         {Status: http.StatusForbidden, MessageMember: "Message"},
	entityTooLarge:       {Status: http.StatusRequestEntityTooLarge, MessageMember: "message"},
	invalidRequest:       {Status: http.StatusBadRequest, MessageMember: "message"},
	model.Mismatched:     {Status: http.StatusBadRequest, MessageMember: "Message"},
	unknownOperationName: {Status: http.StatusNotFound, MessageMember: "message"},
	validation:           {Status: http.StatusBadRequest, MessageMember: "message"},
}

// exception is an answer that is an error, as AWS gives it.
type exception struct {
	name    string
	message string
	// status is 0 where the exception's own is meant.
	status int
	// reason is the Reason member, "" for none.
	reason     string
	retryAfter time.Duration
}

func (e *exception) Error() string { return e.name + ": " + e.message }

func refuse(name, format string, args ...any) *exception {
	return &exception{name: name, message: fmt.Sprintf(format, args...)}
}

// notImplemented says that Hearth does not have something of Lambda's, yet.
func notImplemented(what string) *exception {
	e := refuse(invalidRequest, "Hearth does not implement %s yet. docs/compatibility.md lists what it does.", what)
	e.status = http.StatusNotImplemented
	return e
}

func unknownOperation(method, path string) *exception {
	return refuse(unknownOperationName, "There is no operation %s %.200s in the Lambda API.", method, path)
}

// tooLarge refuses a body after the client had its chance to send it.
func tooLarge(r *http.Request, limit int64, operation string) error {
	if _, err := io.CopyN(io.Discard, r.Body, maxDiscard); err != nil && !errors.Is(err, io.EOF) {
		return cutShort(err)
	}
	return refuse(entityTooLarge, "Request must be smaller than %d bytes for the %s operation", limit, operation)
}

func cutShort(err error) error {
	return refuse(invalidRequestContent, "The request's body could not be read: %v", err)
}

// exceptionOf is the one place where errors become answers. What is nobody's
// fault but Hearth's is logged, and answered with the request's id only.
func (a *API) exceptionOf(err error, r *http.Request, requestID string) *exception {
	var (
		own       *exception
		signature *sigv4.Error
		parse     *model.ParseError
		violated  *model.ValidationError
		rule      *function.Error
		badCode   *code.InvalidError
		notRun    *invoke.Error
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &signature):
		return &exception{name: signature.Name, status: signature.Status, message: signature.Message}
	case errors.As(err, &parse):
		return &exception{name: parse.Exception, message: parse.Message}
	case errors.As(err, &violated):
		return exceptionOfViolations(violated)
	case errors.As(err, &rule):
		return exceptionOfRule(rule)
	case errors.As(err, &badCode):
		return &exception{name: invalidParameter, message: badCode.Message}
	case errors.As(err, &notRun):
		if e := exceptionOfInvocation(notRun); e.name != serviceException || notRun.Err == nil {
			return e
		}
	case errors.Is(err, context.Canceled):
		return &exception{name: serviceException, message: "The caller went away."}
	}
	a.log.Error("a request failed", "request", requestID, "method", r.Method, "path", r.URL.Path, "error", err)
	e := refuse(serviceException, "An error occurred inside Hearth; its log has it under request id %s. Try again.", requestID)
	if notRun != nil {
		e.message, e.status = notRun.Message, exceptionOfInvocation(notRun).status
		e.retryAfter = notRun.RetryAfter
	}
	return e
}

// exceptionOfViolations is a ValidationException, except for runtimes: Lambda
// looks at them later, and says it in other words.
func exceptionOfViolations(e *model.ValidationError) *exception {
	others := &model.ValidationError{}
	for _, v := range e.Violations {
		if v.Shape.Name != "Runtime" || v.Shape.Enum == nil || v.Value == "null" {
			others.Violations = append(others.Violations, v)
		}
	}
	if len(others.Violations) > 0 {
		return &exception{name: validation, message: others.Error()}
	}
	v := e.Violations[0]
	return refuse(invalidParameter, "Value %s at '%s' failed to satisfy constraint: %s or be a valid ARN", strings.Trim(v.Value, "'"), v.Path, v.Constraint)
}

func exceptionOfRule(e *function.Error) *exception {
	name := serviceException
	switch e.Kind {
	case function.NotFound:
		name = resourceNotFound
	case function.AlreadyExists, function.Conflict, function.NotReady:
		name = resourceConflict
	case function.PreconditionFailed:
		name = preconditionFailed
	case function.InvalidParameter:
		name = invalidParameter
	case function.CodeStorageExceeded:
		name = codeStorageExceeded
	case function.PolicyLengthExceeded:
		name = policyLengthExceeded
	}
	return &exception{name: name, message: e.Message}
}

func exceptionOfInvocation(e *invoke.Error) *exception {
	x := &exception{name: serviceException, message: e.Message, reason: e.Reason, retryAfter: e.RetryAfter}
	switch e.Kind {
	case invoke.KindThrottled:
		x.name = tooManyRequests
	case invoke.KindNotFound:
		x.name = resourceNotFound
	case invoke.KindNotReady:
		x.name = resourceConflict
	case invoke.KindTooLarge:
		x.name = entityTooLarge
	case invoke.KindNoCapacity:
		x.status = http.StatusServiceUnavailable
	case invoke.KindInvalidContent:
		x.name = invalidRequestContent
	case invoke.KindInvalidRuntime:
		x.name = invalidRuntime
	case invoke.KindInvalidParameter:
		x.name = invalidParameter
	case invoke.KindInternal:
	}
	return x
}

// write answers in the shape that the exception has in the facts of the API.
func (e *exception) write(w http.ResponseWriter) {
	declared, typed := model.Lambda().Exception(e.name)
	if !typed {
		other, ok := undeclared[e.name]
		if !ok { // a signature's
			other = model.Exception{Status: http.StatusForbidden, MessageMember: "message"}
		}
		declared = &other
	}
	status := e.status
	if status == 0 {
		status = declared.Status
	}
	var b bytes.Buffer
	b.WriteByte('{')
	if e.reason != "" {
		writeMember(&b, "Reason", e.reason)
		b.WriteByte(',')
	}
	if typed {
		kind := "User"
		if status >= http.StatusInternalServerError {
			kind = "Service"
		}
		writeMember(&b, "Type", kind)
		b.WriteByte(',')
	}
	writeMember(&b, declared.MessageMember, e.message)
	b.WriteByte('}')

	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("X-Amzn-ErrorType", e.name)
	if e.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.retryAfter.Seconds()))))
	}
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

func writeMember(b *bytes.Buffer, name, value string) {
	b.WriteString(`"` + name + `":`)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value)   // a string: can't fail
	b.Truncate(b.Len() - 1) // the line feed
}
