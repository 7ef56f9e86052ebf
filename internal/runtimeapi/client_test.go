package runtimeapi_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hearthd/hearth/internal/runtimeapi"
)

const (
	base = "/2018-06-01/runtime/"
	next = base + "invocation/next"
)

func path(id, action string) string { return base + "invocation/" + id + "/" + action }

// client is a runtime's HTTP client: net/http's.
type client struct {
	listener net.Listener
	http     http.Client
	dials    atomic.Int64
}

func serve(t *testing.T, o runtimeapi.Options) (*runtimeapi.Endpoint, *client) {
	t.Helper()
	c := &client{listener: listen(t)}
	tr := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c.dials.Add(1)
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}}
	c.http.Transport = tr
	e := runtimeapi.Serve(c.listener, o)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		tr.CloseIdleConnections()
	})
	return e, c
}

func (c *client) do(t testing.TB, method, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	return c.send(t, method, path, strings.NewReader(body), header...)
}

func (c *client) send(t testing.TB, method, path string, body io.Reader, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+c.listener.Addr().String()+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}

func (c *client) want(t testing.TB, status int, method, path, body string, header ...string) {
	t.Helper()
	if got, _, answer := c.do(t, method, path, body, header...); got != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, got, answer, status)
	}
}

// refused wants an error in the Runtime API's shape.
func (c *client) refused(t testing.TB, status int, kind, method, path, body string, header ...string) {
	t.Helper()
	got, h, answer := c.do(t, method, path, body, header...)
	var shape struct{ ErrorMessage, ErrorType string }
	if err := json.Unmarshal([]byte(answer), &shape); err != nil {
		t.Fatalf("%s %s: %v in %q", method, path, err, answer)
	}
	if got != status || shape.ErrorType != kind || shape.ErrorMessage == "" || h.Get("Content-Type") != "application/json" {
		t.Fatalf("%s %s: %d %s, want %d %s", method, path, got, answer, status, kind)
	}
}

// started is a request whose answer is still to come.
type started chan int

func (c *client) start(t testing.TB, method, path, body string) started {
	s := make(started, 1)
	go func() {
		status, _, _ := c.do(t, method, path, body)
		s <- status
	}()
	return s
}

func (s started) wait(t testing.TB, status int) {
	t.Helper()
	if got := <-s; got != status {
		t.Fatalf("got %d, want %d", got, status)
	}
}

// outcome is what an Invoke in another goroutine returns.
type outcome chan returned

type returned struct {
	result *runtimeapi.Result
	err    error
}

func invoke(t testing.TB, e *runtimeapi.Endpoint, inv *runtimeapi.Invocation) outcome {
	return invokeContext(t.Context(), e, inv)
}

func invokeContext(ctx context.Context, e *runtimeapi.Endpoint, inv *runtimeapi.Invocation) outcome {
	o := make(outcome, 1)
	go func() {
		r, err := e.Invoke(ctx, inv)
		o <- returned{r, err}
	}()
	return o
}

func (o outcome) result(t testing.TB) *runtimeapi.Result {
	t.Helper()
	got := <-o
	if got.err != nil {
		t.Fatal(got.err)
	}
	return got.result
}

func listen(tb testing.TB) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func dial(tb testing.TB, l net.Listener) net.Conn {
	tb.Helper()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { nc.Close() })
	return nc
}

// readUntil reads byte by byte, so that nothing behind want is lost.
func readUntil(tb testing.TB, r io.Reader, want string) {
	tb.Helper()
	var got strings.Builder
	for one := make([]byte, 1); !strings.HasSuffix(got.String(), want); got.Write(one) {
		if _, err := io.ReadFull(r, one); err != nil {
			tb.Fatalf("%v after %q, want %q", err, got.String(), want)
		}
	}
}

// readToEnd waits for the end of the connection; a reset is one, when the
// server ended it with something unread.
func readToEnd(tb testing.TB, r io.Reader) {
	tb.Helper()
	if _, err := io.Copy(io.Discard, r); err != nil && !strings.Contains(err.Error(), "reset") {
		tb.Fatal(err)
	}
}

// until waits for something that other goroutines bring about.
func until(happened func() bool) {
	for !happened() {
		runtime.Gosched()
	}
}
