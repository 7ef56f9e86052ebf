package lambdaapi_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hearthd/hearth/internal/invoke"
	"github.com/hearthd/hearth/internal/lambdaapi"
)

// echo answers at once, and always the same.
type echo struct{ response *invoke.Response }

func (e echo) Invoke(context.Context, *invoke.Request) (*invoke.Response, error) {
	return e.response, nil
}

// warm is a warm invocation with a payload of 1 KB as this room sees it.
type warm struct {
	api     *lambdaapi.API
	tenant  *tenant
	request *http.Request
	payload []byte
	body    *bytes.Reader
	answer  discard
}

func newWarm(t testing.TB) *warm {
	t.Helper()
	w := &warm{payload: []byte(`{"data":"` + strings.Repeat("x", 1013) + `"}`), answer: discard{header: http.Header{}}}
	n := start(t, func(o *lambdaapi.Options) {
		o.Invoker = echo{&invoke.Response{Status: 200, Payload: w.payload, ExecutedVersion: "$LATEST", RevisionID: "r"}}
		var err error
		w.api, err = lambdaapi.New(*o)
		must(t, err)
	})
	w.tenant = n.tenant(t, "tenant")
	w.tenant.create(t, "f", nil)
	w.request = httptest.NewRequest(http.MethodPost, "/2015-03-31/functions/f/invocations", nil)
	w.request.ContentLength = int64(len(w.payload))
	w.body = bytes.NewReader(w.payload)
	w.request.Body = io.NopCloser(w.body)
	sign(t, w.request, w.tenant.key, string(w.payload))
	return w
}

// again makes the request as if it had just come.
func (w *warm) again() {
	w.body.Reset(w.payload)
	clear(w.answer.header)
}

// The hot path stays short: neither reflection nor regular expressions get into
// it unseen, because they allocate.
func TestInvokeAllocatesLittle(t *testing.T) {
	w := newWarm(t)
	if n := testing.AllocsPerRun(1000, func() {
		w.again()
		if err := w.api.ServeAs(&w.answer, w.request, w.tenant.id); err != nil || w.answer.status != 200 {
			t.Error(w.answer.status, err)
		}
	}); n > 12 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkInvoke is all that this room does, the check of the signature
// included.
func BenchmarkInvoke(b *testing.B) {
	w := newWarm(b)
	b.ReportAllocs()
	for b.Loop() {
		w.again()
		if w.api.ServeHTTP(&w.answer, w.request); w.answer.status != 200 {
			b.Fatal(w.answer.status)
		}
	}
}

// BenchmarkInvokeUnsigned leaves out the check of the signature.
func BenchmarkInvokeUnsigned(b *testing.B) {
	w := newWarm(b)
	b.ReportAllocs()
	for b.Loop() {
		w.again()
		if err := w.api.ServeAs(&w.answer, w.request, w.tenant.id); err != nil {
			b.Fatal(err)
		}
	}
}

// discard is an answer that nobody reads.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
