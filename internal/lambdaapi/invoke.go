package lambdaapi

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/invoke"
	"github.com/hearthd/hearth/internal/lambdaapi/model"
	"github.com/hearthd/hearth/internal/lambdaapi/wire"
)

// invokeAction is what policies call the right to invoke; it is not
// "lambda:Invoke", after the operation.
const invokeAction = "lambda:InvokeFunction"

// emptyEvent is what a function gets when the caller sends nothing.
var emptyEvent = []byte("{}")

// serveInvoke is the hot path of the product. What it needs of the request it
// looks up by itself where that is plain; everything else (ARNs, names and
// values that the catalog or Lambda don't know, presigned URLs) takes the way
// of all other operations first.
func (a *API) serveInvoke(w http.ResponseWriter, r *http.Request, match *model.Match, caller account.ID, requestID string, body []byte) error {
	req := &invoke.Request{
		RequestID: requestID, Payload: body, ClientContext: first(r.Header, "X-Amz-Client-Context"), TraceID: first(r.Header, "X-Amzn-Trace-Id"),
		UpdatePolicy: first(r.Header, "X-Hearth-Update-Policy"), CodeSHA256: first(r.Header, "X-Hearth-Code-Sha256"),
		MemorySize: first(r.Header, "X-Hearth-Memory-Size"),
	}
	kind, plain := a.plainInvoke(r, match, caller, req)
	if !plain {
		var err error
		if kind, err = a.validInvoke(r, match, caller, req); err != nil {
			return err
		}
	}
	switch kind {
	case "DryRun":
		req.DryRun = true
	case "Event":
		return notImplemented("Invoke with InvocationType Event (asynchronous invocation)")
	}
	if len(body) == 0 {
		req.Payload = emptyEvent
	} else if err := model.CheckJSON(body); err != nil {
		return err
	}
	resp, err := a.opts.Invoker.Invoke(r.Context(), req)
	if err != nil {
		return err
	}
	if resp.Finish != nil {
		defer resp.Finish()
	}
	writeInvocation(w, resp)
	return nil
}

// plainInvoke fills the request without validating anything, which is allowed
// where everything is one of the values that validation would let pass. It
// returns the invocation type, and false when the request is not that plain.
func (a *API) plainInvoke(r *http.Request, match *model.Match, caller account.ID, req *invoke.Request) (kind string, plain bool) {
	name, ok := match.Param(0)
	if !ok {
		return "", false
	}
	view, ok := a.opts.Catalog.Lookup(function.Key{Account: caller, Name: name})
	if !ok || !plainQualifier(r.URL.RawQuery, view, &req.Qualifier) {
		return "", false
	}
	if r.Header["X-Amz-Durable-Execution-Name"] != nil || r.Header["X-Amz-Tenant-Id"] != nil {
		return "", false
	}
	switch first(r.Header, "X-Amz-Log-Type") {
	case "Tail":
		req.Tail = true
	case "", "None":
	default:
		return "", false
	}
	kind = first(r.Header, "X-Amz-Invocation-Type")
	switch kind {
	case "", "RequestResponse", "DryRun", "Event":
	default:
		return "", false
	}
	req.Account, req.Name = caller, name
	return kind, true
}

// plainQualifier reads a query that is nothing or a Qualifier that exists.
func plainQualifier(rawQuery string, view *function.View, to *string) bool {
	if rawQuery == "" {
		return true
	}
	q, ok := strings.CutPrefix(rawQuery, "Qualifier=")
	if !ok || strings.IndexByte(q, '&') >= 0 {
		return false
	}
	if strings.IndexByte(q, '%') >= 0 {
		var err error
		if q, err = url.QueryUnescape(q); err != nil {
			return false
		}
	}
	if q != function.Latest && view.Versions[q] == nil && view.Aliases[q] == nil {
		return false
	}
	*to = q
	return true
}

// validInvoke fills the request in the way of all operations.
func (a *API) validInvoke(r *http.Request, match *model.Match, caller account.ID, req *invoke.Request) (kind string, err error) {
	doc, err := match.Parse(r, nil)
	if err != nil {
		return "", err
	}
	if err := match.Operation.Validate(doc); err != nil {
		return "", err
	}
	var in wire.InvocationRequest
	doc.Bind(&in)
	if in.DurableExecutionName != nil {
		return "", notImplemented("Invoke with DurableExecutionName")
	}
	if in.TenantId != nil {
		return "", notImplemented("Invoke with TenantId")
	}
	t, err := a.resolve(value(in.FunctionName), value(in.Qualifier), caller, invokeAction)
	if err != nil {
		return "", err
	}
	req.Account, req.Name, req.Qualifier = t.Account, t.Name, t.qualifier
	req.Tail = value(in.LogType) == "Tail"
	return value(in.InvocationType), nil
}

// first returns a header without putting its name, which is canonical, into
// canonical form.
func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

var (
	jsonType = []string{"application/json"}
	zero     = []string{"0"}
	cold     = []string{"cold"}
	warm     = []string{"warm"}
	stale    = []string{"true"}
)

func writeInvocation(w http.ResponseWriter, resp *invoke.Response) {
	h := w.Header()
	values := make([]string, 0, 7) // one allocation for all headers
	set := func(name, v string) {
		values = append(values, v)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	set("X-Amz-Executed-Version", resp.ExecutedVersion)
	set("X-Hearth-Revision", resp.RevisionID)
	if resp.Stale {
		h["X-Hearth-Stale"] = stale
	}
	if resp.Status == http.StatusNoContent {
		w.WriteHeader(resp.Status)
		return
	}
	set("X-Hearth-Effective-Memory", strconv.Itoa(int(resp.Memory)))
	if resp.Suggested > 0 {
		set("X-Hearth-Suggested-Memory", strconv.Itoa(int(resp.Suggested)))
	}
	if resp.FunctionError != "" {
		set("X-Amz-Function-Error", resp.FunctionError)
	}
	if resp.Tail != nil {
		set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(resp.Tail))
	}
	set("Content-Length", strconv.Itoa(len(resp.Payload)))
	h["Content-Type"] = jsonType
	h["X-Amzn-Remapped-Content-Length"] = zero
	h["X-Hearth-Start"] = warm
	if resp.Cold {
		h["X-Hearth-Start"] = cold
	}
	w.WriteHeader(resp.Status)
	w.Write(resp.Payload)
	if f, ok := w.(http.Flusher); ok && resp.Finish != nil {
		f.Flush() // the answer goes out before what is left to do
	}
}
