package runtimeapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hearthd/hearth/internal/runtimeapi"
)

// TestWire speaks bytes, for what an HTTP client would not say. In every case
// the invocation "id" is under way on another connection.
func TestWire(t *testing.T) {
	post := "POST " + path("id", "response") + " HTTP/1.1\r\n"
	for _, c := range []struct {
		name, send string
		answers    []string // each is looked for after the one before
		ends       bool     // the connection ends after them
		payload    string   // what the caller of Invoke gets, if anything
	}{
		{name: "content length", send: post + "Content-Length: 5\r\n\r\nhello",
			answers: []string{"HTTP/1.1 202 Accepted\r\n", `{"status":"OK"}`}, payload: "hello"},
		{name: "bare line feeds", send: strings.ReplaceAll(post, "\r", "") + "Content-Length: 5\n\nhello",
			answers: []string{"202"}, payload: "hello"},
		{name: "chunked with extension and trailer", send: post + "transfer-encoding: Chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n",
			answers: []string{"202"}, payload: "hello"},
		{name: "expect continue", send: post + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
			answers: []string{"HTTP/1.1 100 Continue\r\n\r\n", "202"}, payload: "hello"},
		{name: "expect continue, refused", send: "POST " + path("other", "response") + " HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
			answers: []string{"HTTP/1.1 400 Bad Request\r\n", "Connection: close\r\n", "InvalidRequestID"}, ends: true},
		{name: "connection close", send: post + "Connection: Keep-Alive, Close\r\nContent-Length: 5\r\n\r\nhello",
			answers: []string{"202", "Connection: close"}, ends: true, payload: "hello"},
		{name: "HTTP/1.0", send: strings.Replace(post, "1.1", "1.0", 1) + "Content-Length: 5\r\n\r\nhello",
			answers: []string{"202", "Connection: close"}, ends: true, payload: "hello"},
		{name: "absolute form and query", send: strings.Replace(post, "/2018", "http://127.0.0.1:9001/2018", 1) + "\r\n",
			answers: []string{"202"}},
		{name: "query", send: strings.Replace(post, "response", "response?x=/error", 1) + "\r\n", answers: []string{"202"}},
		{name: "HEAD has no body", send: "HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
			answers: []string{"HTTP/1.1 404 Not Found\r\n", "\r\n\r\nHTTP/1.1 404", "NotFound"}},
		{name: "pipelined", send: "GET / HTTP/1.1\r\n\r\n" + post + "Content-Length: 5\r\n\r\nhelloGET /x HTTP/1.1\r\n\r\n",
			answers: []string{"404", "202", "404"}, payload: "hello"},
		{name: "empty line between requests", send: "GET / HTTP/1.1\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", answers: []string{"404", "404"}},
		{name: "stream that ends in an error", send: post + "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\nTrailer: Lambda-Runtime-Function-Error-Type\r\n\r\n" +
			"3\r\nabc\r\n0\r\nLambda-Runtime-Function-Error-Type: Oops\r\nLambda-Runtime-Function-Error-Body: eyJlcnJvclR5cGUiOiJPb3BzIn0=\r\n\r\n",
			answers: []string{"202"}, payload: `{"errorType":"Oops"}`},

		{name: "no request", send: "\r\n\r\n", answers: []string{"400 Bad Request", "Connection: close"}, ends: true},
		{name: "garbage", send: "\x00\xff\x13\n\n", answers: []string{"400"}, ends: true},
		{name: "TLS", send: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", answers: []string{"400"}, ends: true},
		{name: "no version", send: "GET /\r\n\r\n", answers: []string{"400"}, ends: true},
		{name: "HTTP/2", send: "PRI * HTTP/2.0\r\n\r\n", answers: []string{"505"}, ends: true},
		{name: "folded field", send: post + "X: a\r\n b\r\n\r\n", answers: []string{"400"}, ends: true},
		{name: "space before the colon", send: post + "Content-Length : 5\r\n\r\nhello", answers: []string{"400"}, ends: true},
		{name: "no colon", send: post + "nonsense\r\n\r\n", answers: []string{"400"}, ends: true},
		{name: "negative length", send: post + "Content-Length: -1\r\n\r\n", answers: []string{"400"}, ends: true},
		{name: "huge length", send: post + "Content-Length: 99999999999999999999\r\n\r\n", answers: []string{"400"}, ends: true},
		{name: "two lengths", send: post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", answers: []string{"400"}, ends: true},
		{name: "length and chunks", send: post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", answers: []string{"400"}, ends: true},
		{name: "gzip", send: post + "Transfer-Encoding: gzip\r\n\r\n", answers: []string{"501"}, ends: true},
		{name: "unknown expectation", send: post + "Expect: a miracle\r\n\r\n", answers: []string{"417"}, ends: true},
		{name: "bad chunk size", send: post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", answers: []string{"400"}, ends: true},
		{name: "chunk size beyond reason", send: post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", answers: []string{"400"}, ends: true},
		{name: "chunk without its end", send: post + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", answers: []string{"400"}, ends: true},
		{name: "long target", send: "GET /" + strings.Repeat("x", 100_000), answers: []string{"414"}, ends: true},
		{name: "long field that matters", send: post + "Content-Type: " + strings.Repeat("x", 100_000) + "\r\n\r\n", answers: []string{"431"}, ends: true},
		{name: "long field that doesn't", send: post + "X-Trace: " + strings.Repeat("x", 1_000_000) + "\r\nContent-Length: 2\r\n\r\nok", answers: []string{"202"}, payload: "ok"},
		{name: "endless field", send: post + "X-Trace: " + strings.Repeat("x", 3_000_000), answers: []string{"431"}, ends: true},
		{name: "endless fields", send: post + strings.Repeat("X-Trace: x\r\n", 300_000), answers: []string{"431"}, ends: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, cl := serve(t, runtimeapi.Options{})
			call := invoke(t, e, &runtimeapi.Invocation{RequestID: "id"})
			cl.want(t, 200, "GET", next, "")
			nc := dial(t, cl.listener)
			go fmt.Fprint(nc, c.send) // the answer may come before all is sent
			for _, want := range c.answers {
				readUntil(t, nc, want)
			}
			if c.ends {
				readToEnd(t, nc)
			}
			if c.payload != "" {
				if r := call.result(t); string(r.Payload) != c.payload || r.Error != strings.Contains(c.name, "error") {
					t.Errorf("got %+v", r)
				}
			}
		})
	}
}

// TestPipelinedBehindAPoll checks that what comes after a GET next on the same
// connection waits for its answer.
func TestPipelinedBehindAPoll(t *testing.T) {
	l := listen(t)
	e := runtimeapi.Serve(l, runtimeapi.Options{})
	defer e.Close()
	nc := dial(t, l)
	fmt.Fprintf(nc, "GET %s HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", next)
	<-e.Ready()
	call := invoke(t, e, &runtimeapi.Invocation{RequestID: "a", Payload: []byte("payload")})
	readUntil(t, nc, "payloadHTTP/1.1 404")
	readUntil(t, nc, "}\n")
	fmt.Fprintf(nc, "POST %s HTTP/1.1\r\nContent-Length: 2\r\n\r\nok", path("a", "response"))
	readUntil(t, nc, "202")
	call.result(t)
}

// TestPollThatClosesTheConnection is `curl` in a shell script: a connection for
// each request.
func TestPollThatClosesTheConnection(t *testing.T) {
	l := listen(t)
	e := runtimeapi.Serve(l, runtimeapi.Options{})
	defer e.Close()
	call := invoke(t, e, &runtimeapi.Invocation{RequestID: "a", Payload: []byte("payload")})
	nc := dial(t, l)
	fmt.Fprintf(nc, "GET %s HTTP/1.0\r\n\r\n", next)
	readUntil(t, nc, "Connection: close\r\n")
	readUntil(t, nc, "payload")
	readToEnd(t, nc)
	nc = dial(t, l)
	fmt.Fprintf(nc, "POST %s HTTP/1.0\r\nContent-Length: 2\r\n\r\nok", path("a", "response"))
	readUntil(t, nc, "202")
	call.result(t)
}
