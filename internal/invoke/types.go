package invoke

import (
	"fmt"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/usage"
)

// Request asks for one synchronous invocation.
type Request struct {
	Account   account.ID
	Name      string
	Qualifier string
	RequestID string
	Payload   []byte
	// ClientContext is base64, as it came in X-Amz-Client-Context.
	ClientContext string
	TraceID       string
	// Tail asks for the last 4 KB of the invocation's log in the response.
	Tail bool
	// DryRun checks everything up to the point of running and answers 204.
	DryRun bool
	// UpdatePolicy and CodeSHA256 are what the request itself says about
	// which revision may answer; see deploy.Request.
	UpdatePolicy, CodeSHA256 string
	// MemorySize is the amount of memory, in MB, that the request wants in place
	// of the function's; "" for none.
	MemorySize string
}

// Response is the outcome of an invocation that ran, well or badly.
type Response struct {
	// Status is the HTTP status: 200, or 204 for a dry run.
	Status  int
	Payload []byte
	// FunctionError is "" or "Unhandled", the value of X-Amz-Function-Error.
	FunctionError string
	// Tail holds the raw log bytes when they were asked for.
	Tail            []byte
	ExecutedVersion string
	// RevisionID is the fingerprint of the revision that answered.
	RevisionID string
	// Stale says that it was not the one that the owner wants.
	Stale bool
	Cold  bool
	// Memory is what the execution had in the end, in MB; Suggested what the
	// function should have where that is more, else 0.
	Memory, Suggested function.MemoryMB
	// spent is what the execution is accounted with.
	spent usage.Execution
	// Finish, where it is not nil, must be called once the answer is on its
	// way: it completes the log and gives the environment back.
	Finish func()
}

// Kind tells why an invocation did not run; each maps to one of Lambda's exceptions.
type Kind int

// The kinds of [Error].
const (
	KindInternal         Kind = iota // ServiceException, 500
	KindThrottled                    // TooManyRequestsException, 429, with a Reason
	KindNotFound                     // ResourceNotFoundException, 404
	KindNotReady                     // ResourceConflictException, 409: still Pending, or Failed
	KindTooLarge                     // RequestEntityTooLargeException, 413
	KindNoCapacity                   // ServiceException, 503: the node is full, try again
	KindInvalidContent               // InvalidRequestContentException, 400
	KindInvalidRuntime               // InvalidRuntimeException, 502: no such runtime on the node
	KindInvalidParameter             // InvalidParameterValueException, 400
)

// Error says why an invocation did not run, in words meant for the caller.
type Error struct {
	Kind    Kind
	Message string
	// Reason is Lambda's Reason member of a TooManyRequestsException.
	Reason string
	// RetryAfter is how long the caller should wait before the next try; zero
	// when there is no point in saying.
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Message, e.Err)
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
