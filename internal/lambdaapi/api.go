package lambdaapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/code"
	"github.com/hearthd/hearth/internal/deploy"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/invoke"
	"github.com/hearthd/hearth/internal/lambdaapi/model"
	"github.com/hearthd/hearth/internal/lambdaapi/sigv4"
)

// Lambda's limits, and the defaults of [Options].
const (
	DefaultMaxMemoryMB = 10240
	MaxTimeoutSec      = 900

	maxPayload = 6 << 20 // of a synchronous invocation
	// maxUpload is a package of 50 MB in Base64 and what surrounds it.
	maxUpload = 70167211
	maxBody   = 6 << 20 // of other operations
	// early is from which size on a body is not read before the head was
	// verified.
	early = 64 << 10
	// maxDiscard is how much of a body that is too large is read all the same:
	// many clients read no answer before they have sent all.
	maxDiscard = 128 << 20
)

// Invoker runs functions. Implementations are safe for concurrent use; the
// error is an [*invoke.Error] when the function did not run. It may keep the
// request's payload until the invocation has ended, and the caller doesn't
// change it.
type Invoker interface {
	Invoke(context.Context, *invoke.Request) (*invoke.Response, error)
}

// Moves waits for aliases that move. [deploy.Manager] is one.
type Moves interface {
	// AwaitMove returns when the alias has moved, or some time later. The
	// error is a [*function.Error] when it stays where it was.
	AwaitMove(ctx context.Context, key function.Key, alias, revisionID string) error
}

// Options are what the API works with. Region, Catalog, Accounts, CodeStore and
// Invoker are needed.
type Options struct {
	// Region stands in ARNs.
	Region    string
	Catalog   *function.Catalog
	Accounts  *account.Registry
	CodeStore *code.Store
	Invoker   Invoker
	// Effective tells the memory that executions of a revision get, for a
	// header; without it, the header is not there.
	Effective func(*function.View, *function.Revision) function.MemoryMB
	// Moves lets UpdateAlias wait; without it, it never does.
	Moves Moves
	// Allocation tells how far provisioned concurrency is; without it, there is
	// none anywhere.
	Allocation func(*function.View, string) deploy.Allocation
	// Verifier checks signatures; one by the keys in Accounts when nil.
	Verifier *sigv4.Verifier
	// PublicURL is how clients reach this node, where they don't by the Host
	// they send: what download links begin with, as in https://hearth.example.
	PublicURL string
	// S3 is where S3Bucket and S3Key of a code source are looked for.
	S3 S3
	// Native serves the paths under /hearth/, and /metrics. Requests come with
	// the caller's account in their context, except for /hearth/healthz, which
	// nobody needs to sign.
	Native http.Handler
	// MaxMemoryMB is the largest MemorySize, DefaultMaxMemoryMB when 0.
	MaxMemoryMB int
	// ServesRuntime returns an error, in words for the owner of a function,
	// when nothing on this Hearth can run the runtime identifier. Nil takes all
	// that Lambda knows.
	ServesRuntime func(identifier string) error
	Log           *slog.Logger
}

// API is the Lambda API as an [http.Handler].
type API struct {
	opts     Options
	log      *slog.Logger
	model    *model.Model
	verifier *sigv4.Verifier
	handlers map[*model.Operation]handler
	invoke   *model.Operation
	s3       s3Source
}

// New returns the API.
func New(o Options) (*API, error) {
	if o.Region == "" || o.Catalog == nil || o.Accounts == nil || o.CodeStore == nil || o.Invoker == nil {
		return nil, errors.New("lambdaapi: Region, Catalog, Accounts, CodeStore and Invoker are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxMemoryMB == 0 {
		o.MaxMemoryMB = DefaultMaxMemoryMB
	}
	if o.ServesRuntime == nil {
		o.ServesRuntime = func(string) error { return nil }
	}
	if o.Native == nil {
		o.Native = http.NotFoundHandler()
	}
	a := &API{opts: o, log: o.Log, model: model.Lambda(), verifier: o.Verifier, s3: newS3Source(o.S3)}
	if a.verifier == nil {
		a.verifier = &sigv4.Verifier{Lookup: func(id string) (string, account.ID, bool) {
			k, ok := o.Accounts.Lookup(id)
			return k.Secret, k.Account, ok
		}}
	}
	a.handlers = make(map[*model.Operation]handler, len(a.model.Operations))
	for _, op := range a.model.Operations {
		a.handlers[op] = handlerOf(op)
	}
	a.invoke = a.model.Operation("Invoke")
	return a, nil
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	w.Header()["X-Amzn-Requestid"] = []string{id}
	if err := a.serve(w, r, id); err != nil {
		a.exceptionOf(err, r, id).write(w)
	}
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, requestID string) error {
	path := r.URL.EscapedPath()
	if isNative(path) {
		return a.serveNative(w, r, path)
	}
	match, miss := a.model.Match(r.Method, path, r.URL.RawQuery)
	caller, body, err := a.authenticate(r, match.Operation)
	if err != nil {
		return err
	}
	if miss != model.Found {
		return unknownOperation(r.Method, path)
	}
	return a.dispatch(w, r, &match, caller, requestID, body)
}

// dispatch serves an operation for the account that signed the request.
func (a *API) dispatch(w http.ResponseWriter, r *http.Request, match *model.Match, caller account.ID, requestID string, body []byte) error {
	if match.Operation == a.invoke {
		return a.serveInvoke(w, r, match, caller, requestID, body)
	}
	input, err := match.Parse(r, body)
	if err != nil {
		return err
	}
	if err := match.Operation.Validate(input); err != nil {
		return err
	}
	c := &call{API: a, ctx: authored(r, caller, match.Operation.Name), request: r, answer: w.Header(), caller: caller, op: match.Operation}
	return a.handlers[match.Operation](c, input, w)
}

// authenticate reads the body and returns who signed it. The operation is nil
// where the request has none.
func (a *API) authenticate(r *http.Request, op *model.Operation) (account.ID, []byte, error) {
	limit, name := limitOf(op)
	if r.ContentLength < 0 || r.ContentLength > early {
		// Who can't sign may not fill the memory with large bodies.
		if err := a.verifier.VerifyHead(r); err != nil {
			return "", nil, err
		}
	}
	body, err := readBody(r, limit, name)
	if err != nil {
		return "", nil, err
	}
	caller, err := a.verifier.Verify(r, body)
	return caller, body, err
}

func limitOf(op *model.Operation) (limit int64, name string) {
	if op == nil {
		return maxBody, "requested"
	}
	switch op.Name {
	case "Invoke", "InvokeWithResponseStream":
		return maxPayload, "InvokeFunction"
	case "CreateFunction", "UpdateFunctionCode", "PublishLayerVersion":
		return maxUpload, op.Name
	}
	return maxBody, op.Name
}

// readBody reads a body of at most limit bytes, once and without growing where
// the client says how long it is.
func readBody(r *http.Request, limit int64, operation string) ([]byte, error) {
	switch n := r.ContentLength; {
	case n == 0:
		return nil, nil
	case n > limit:
		return nil, tooLarge(r, limit, operation)
	case n > 0:
		body := make([]byte, n)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			return nil, cutShort(err)
		}
		return body, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	switch {
	case err != nil:
		return nil, cutShort(err)
	case int64(len(body)) > limit:
		return nil, tooLarge(r, limit, operation)
	}
	return body, nil
}

// isNative tells Hearth's own paths.
func isNative(path string) bool {
	return strings.HasPrefix(path, "/hearth/") || path == "/metrics"
}

func (a *API) serveNative(w http.ResponseWriter, r *http.Request, path string) error {
	if path == "/hearth/healthz" {
		a.opts.Native.ServeHTTP(w, r)
		return nil
	}
	caller, body, err := a.authenticate(r, nil)
	if err != nil {
		return err
	}
	if link, ok := strings.CutPrefix(path, downloadPath); ok {
		return a.download(w, r, caller, link)
	}
	r = r.WithContext(context.WithValue(authored(r, caller, r.Method+" "+path), accountKey{}, caller))
	r.Body = io.NopCloser(bytes.NewReader(body))
	a.opts.Native.ServeHTTP(w, r)
	return nil
}

// authored is the request's context with who is to stand in the history of the
// functions that it changes.
func authored(r *http.Request, caller account.ID, operation string) context.Context {
	return function.WithAuthor(r.Context(), function.Author{Account: caller, AccessKeyID: sigv4.AccessKeyID(r), Operation: operation})
}

type accountKey struct{}

// AccountFrom returns the account that signed the request whose context ctx is.
func AccountFrom(ctx context.Context) (account.ID, bool) {
	id, ok := ctx.Value(accountKey{}).(account.ID)
	return id, ok
}
