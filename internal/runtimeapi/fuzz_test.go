package runtimeapi

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// FuzzHead compares the head's parser with net/http's: what this one accepts,
// that one understands in the same way.
func FuzzHead(f *testing.F) {
	for _, s := range []string{
		"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /2018-06-01/runtime/invocation/abc/response HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Type: application/json\r\n\r\nhello",
		"POST /2018-06-01/runtime/invocation/abc/error HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n0\r\n\r\n",
		"POST http://h/2018-06-01/runtime/init/error?a=b HTTP/1.0\r\nHost: x\r\nConnection: close\r\nLambda-Runtime-Function-Error-Type: T\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h head
		if err := h.read(bufio.NewReaderSize(bytes.NewReader(b), readBuffer)); err != nil {
			return
		}
		// Routes are compared only where net/http parses the target; it is
		// stricter with what it doesn't know, as with hosts.
		want, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		if got := h.route; got == routeNext && (want.Method != "GET" || want.URL.Path != prefix+"invocation/next") ||
			got == routeInitError && (want.Method != "POST" || want.URL.Path != prefix+"init/error") {
			t.Errorf("route %d for %s %s", got, want.Method, want.URL)
		}
		if chunked := len(want.TransferEncoding) > 0; chunked != h.chunked {
			t.Errorf("chunked is %v, net/http says %v", h.chunked, chunked)
		}
		if !h.chunked && max(h.length, 0) != want.ContentLength {
			t.Errorf("length %d, net/http says %d", h.length, want.ContentLength)
		}
	})
}

// FuzzBody compares the bodies' reader with net/http's.
func FuzzBody(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"))
	f.Add([]byte("2;x=y\r\nhe\r\n3 \r\nllo\r\n0\r\nA: b\r\nLambda-Runtime-Function-Error-Type: T\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		body := bodyReader{r: bufio.NewReaderSize(bytes.NewReader(b), readBuffer), head: &head{chunked: true}, limit: 1 << 16}
		got, err := body.read()
		if err != nil {
			return
		}
		r := io.MultiReader(bytes.NewReader([]byte("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")), bytes.NewReader(b))
		req, err := http.ReadRequest(bufio.NewReader(r))
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(req.Body)
		if err != nil {
			return // stricter, with trailers
		}
		if !bytes.Equal(got, want) {
			t.Errorf("got %q, net/http says %q", got, want)
		}
	})
}

// FuzzConnection lets the other end say anything while an invocation is under
// way; whatever it is, Close ends everything.
func FuzzConnection(f *testing.F) {
	for _, s := range []string{
		"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\nPOST /2018-06-01/runtime/invocation/id/response HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
		"POST /2018-06-01/runtime/init/error HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n",
		"GET /2018-06-01/runtime/invocation/next HTTP/1.0\r\n\r\nGET /2018-06-01/runtime/invocation/next HTTP/1.0\r\n\r\n",
		"POST /2018-06-01/runtime/invocation/id/error HTTP/1.1\r\nContent-Length: 500000\r\n\r\nhello",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l := pipeListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
		e := Serve(&l, Options{MaxResponse: 1 << 10})
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			e.Invoke(ctx, &Invocation{RequestID: "id", Payload: []byte("payload")}) //nolint:errcheck // any outcome will do
		}()
		here, there := net.Pipe()
		l.conns <- there
		read := make(chan struct{})
		go func() {
			defer close(read)
			io.Copy(io.Discard, here) //nolint:errcheck // until it is closed
		}()
		here.Write(b) //nolint:errcheck // it may be closed already
		here.Close()
		<-read
		e.Close()
		<-done
	})
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{} }
