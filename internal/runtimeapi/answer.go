package runtimeapi

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
)

// maxJoined is up to which size a payload is copied behind its head, for one
// write. Above it copying costs more than the second
// element of a vectored write.
const maxJoined = 32 << 10

var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 4<<10)
	return &b
}}

var (
	answerAccepted      = response(http.StatusAccepted, `{"status":"OK"}`+"\n", false, false)
	answerAcceptedClose = response(http.StatusAccepted, `{"status":"OK"}`+"\n", false, true)
	answerContinue      = []byte("HTTP/1.1 100 Continue\r\n\r\n")
)

// refusal is an answer other than 202, and the error that led to it.
type refusal struct {
	status  int
	kind    string // errorType
	message string // errorMessage
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: %s", r.kind, r.message) }

func (r *refusal) response(noBody, closing bool) []byte {
	return response(r.status, fmt.Sprintf(`{"errorMessage":%q,"errorType":%q}`+"\n", r.message, r.kind), noBody, closing)
}

// The refusals that don't vary. Those of malformed HTTP end the connection.
var (
	errRequestID     = &refusal{http.StatusBadRequest, "InvalidRequestID", "Invalid request ID"}
	errMode          = &refusal{http.StatusBadRequest, "InvalidFunctionResponseMode", "Invalid function response mode"}
	errPath          = &refusal{http.StatusNotFound, "NotFound", "The Runtime API has no such path"}
	errMethod        = &refusal{http.StatusMethodNotAllowed, "MethodNotAllowed", "The Runtime API has no such method on this path"}
	errShutdown      = &refusal{http.StatusInternalServerError, "InternalServerError", "The environment is shutting down"}
	errSyntax        = &refusal{http.StatusBadRequest, "InvalidRequestFormat", "Malformed HTTP request"}
	errVersion       = &refusal{http.StatusHTTPVersionNotSupported, "InvalidRequestFormat", "HTTP/1.1 is spoken here"}
	errEncoding      = &refusal{http.StatusNotImplemented, "InvalidRequestFormat", "The only transfer encoding is chunked"}
	errExpect        = &refusal{http.StatusExpectationFailed, "InvalidRequestFormat", "The only expectation is 100-continue"}
	errTargetTooLong = &refusal{http.StatusRequestURITooLong, "InvalidRequestFormat", "The request line is too long"}
	errHeadTooLarge  = &refusal{http.StatusRequestHeaderFieldsTooLarge, "InvalidRequestFormat", "The request's head is too large"}
)

func refuseTransition(from, to state) *refusal {
	return &refusal{http.StatusForbidden, "InvalidStateTransition", fmt.Sprintf(
		"State transition from %s to %s failed for runtime. Error: State transition is not allowed", from, to)}
}

func refuseTooLarge(limit int64) *refusal {
	return &refusal{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", fmt.Sprintf(
		"Exceeded maximum allowed payload size (%d bytes).", limit)}
}

func response(status int, body string, noBody, closing bool) []byte {
	b := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n",
		status, http.StatusText(status), len(body))
	if closing {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(b, "\r\n"...)
	if noBody {
		return b
	}
	return append(b, body...)
}

// appendInvocationHead appends the head of the answer to a GET next.
func appendInvocationHead(b []byte, inv *Invocation, closing bool) []byte {
	b = append(b, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"...)
	b = appendField(b, "Lambda-Runtime-Aws-Request-Id: ", inv.RequestID)
	b = append(b, "Lambda-Runtime-Deadline-Ms: "...)
	b = strconv.AppendInt(b, inv.Deadline.UnixMilli(), 10)
	b = append(b, "\r\n"...)
	if inv.MemoryMB > 0 {
		b = append(b, "Lambda-Runtime-Hearth-Memory: "...)
		b = strconv.AppendInt(b, int64(inv.MemoryMB), 10)
		b = append(b, "\r\n"...)
	}
	b = appendField(b, "Lambda-Runtime-Invoked-Function-Arn: ", inv.FunctionARN)
	b = appendField(b, "Lambda-Runtime-Trace-Id: ", inv.TraceID)
	b = appendField(b, "Lambda-Runtime-Client-Context: ", inv.ClientContext)
	b = appendField(b, "Lambda-Runtime-Cognito-Identity: ", inv.CognitoIdentity)
	if closing {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(inv.Payload)), 10)
	return append(b, "\r\n\r\n"...)
}

// appendField appends a header field, unless it is empty. Control characters
// in the value, which came from a caller, become spaces, so that no caller
// adds fields of their own; in JSON they mean the same.
func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, name...)
	for i := range len(value) {
		c := value[i]
		if c < ' ' || c == 0x7f {
			c = ' '
		}
		b = append(b, c)
	}
	return append(b, "\r\n"...)
}
