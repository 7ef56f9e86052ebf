package runtimeapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/runtimeapi"
)

// TestConversation is one invocation as a runtime's client sees it.
func TestConversation(t *testing.T) {
	e, c := serve(t, runtimeapi.Options{})
	deadline := time.UnixMilli(1542409706888)
	call := invoke(t, e, &runtimeapi.Invocation{
		RequestID:       "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
		FunctionARN:     "arn:aws:lambda:us-east-2:123456789012:function:custom-runtime",
		TraceID:         "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
		ClientContext:   "{\"a\":\n1}",
		CognitoIdentity: `{"cognitoIdentityId":"x"}`,
		Deadline:        deadline,
		Payload:         []byte(`{"hello":"world"}`),
	})

	status, header, body := c.do(t, "GET", next, "")
	if status != 200 || body != `{"hello":"world"}` {
		t.Fatalf("next: %d %s", status, body)
	}
	for name, want := range map[string]string{
		"Content-Type":                        "application/json",
		"Lambda-Runtime-Aws-Request-Id":       "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
		"Lambda-Runtime-Deadline-Ms":          "1542409706888",
		"Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-2:123456789012:function:custom-runtime",
		"Lambda-Runtime-Trace-Id":             "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
		"Lambda-Runtime-Client-Context":       `{"a": 1}`,
		"Lambda-Runtime-Cognito-Identity":     `{"cognitoIdentityId":"x"}`,
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}

	status, _, body = c.do(t, "POST", path("8476a536-e9f4-11e8-9739-2dfe598c3fcd", "response"), `{"answer":42}`, "Content-Type", "application/json")
	if status != 202 || body != "{\"status\":\"OK\"}\n" {
		t.Errorf("response: %d %q", status, body)
	}
	r := call.result(t)
	if string(r.Payload) != `{"answer":42}` || r.Error || r.ContentType != "application/json" {
		t.Errorf("got %+v", r)
	}
}

func TestReadyAtTheFirstNext(t *testing.T) {
	idle := make(chan struct{}, 1)
	e, c := serve(t, runtimeapi.Options{OnNext: func() { idle <- struct{}{} }})
	select {
	case <-e.Ready():
		t.Fatal("ready before the first GET next")
	default:
	}
	if e.Idle() {
		t.Error("idle before the first GET next")
	}
	pending := c.start(t, "GET", next, "")
	<-e.Ready()
	<-idle
	if !e.Idle() {
		t.Error("not idle with a GET next pending")
	}
	call := invoke(t, e, &runtimeapi.Invocation{RequestID: "a"})
	pending.wait(t, 200)
	if e.Idle() {
		t.Error("idle with an invocation under way")
	}
	c.want(t, 202, "POST", path("a", "response"), "")
	call.result(t)
	if e.Idle() {
		t.Error("idle before the next GET next")
	}
}

func TestInvocationsFollowEachOther(t *testing.T) {
	e, c := serve(t, runtimeapi.Options{})
	for i := range 100 {
		id := strconv.Itoa(i)
		call := invoke(t, e, &runtimeapi.Invocation{RequestID: id, Payload: []byte("p" + id)})
		if _, _, body := c.do(t, "GET", next, ""); body != "p"+id {
			t.Fatalf("got %s", body)
		}
		action := "response"
		if i%3 == 0 {
			action = "error"
		}
		c.want(t, 202, "POST", path(id, action), "r"+id)
		if r := call.result(t); string(r.Payload) != "r"+id || r.Error != (i%3 == 0) {
			t.Fatalf("got %+v", r)
		}
	}
}

func TestErrorReport(t *testing.T) {
	e, c := serve(t, runtimeapi.Options{})
	call := invoke(t, e, &runtimeapi.Invocation{RequestID: "a"})
	c.want(t, 200, "GET", next, "")
	c.want(t, 202, "POST", path("a", "error"), `{"errorMessage":"m","errorType":"E","stackTrace":[]}`,
		"Lambda-Runtime-Function-Error-Type", "Runtime.Oops",
		"Lambda-Runtime-Function-Xray-Error-Cause", strings.Repeat("c", 500_000))
	r := call.result(t)
	if !r.Error || r.ErrorType != "Runtime.Oops" || !bytes.Contains(r.Payload, []byte(`"stackTrace":[]`)) {
		t.Errorf("got %+v", r)
	}
}

func TestInitError(t *testing.T) {
	e, c := serve(t, runtimeapi.Options{})
	const report = `{"errorMessage":"no module","errorType":"Runtime.ImportModuleError","stackTrace":[]}`
	c.want(t, 202, "POST", base+"init/error", report, "Lambda-Runtime-Function-Error-Type", "Runtime.ImportModuleError")
	got := <-e.InitError()
	if string(got.Payload) != report || got.ErrorType != "Runtime.ImportModuleError" {
		t.Errorf("got %+v", got)
	}
	c.refused(t, 403, "InvalidStateTransition", "GET", next, "")
	c.refused(t, 403, "InvalidStateTransition", "POST", base+"init/error", "")
	select {
	case <-e.Ready():
		t.Error("ready after an init error")
	default:
	}
}

func TestRefusals(t *testing.T) {
	e, c := serve(t, runtimeapi.Options{})
	c.refused(t, 400, "InvalidRequestID", "POST", path("a", "response"), "before anything")

	call := invoke(t, e, &runtimeapi.Invocation{RequestID: "a"})
	c.want(t, 200, "GET", next, "")
	c.refused(t, 400, "InvalidRequestID", "POST", path("b", "response"), "{}")
	c.refused(t, 400, "InvalidRequestID", "POST", path("b", "error"), "{}")
	c.refused(t, 400, "InvalidRequestID", "POST", path("", "response"), "{}")
	c.refused(t, 400, "InvalidRequestID", "POST", path(strings.Repeat("a", 1000), "response"), "{}")
	c.refused(t, 403, "InvalidStateTransition", "POST", base+"init/error", "{}")
	c.refused(t, 400, "InvalidFunctionResponseMode", "POST", path("a", "response"), "{}", "Lambda-Runtime-Function-Response-Mode", "loud")
	c.refused(t, 405, "MethodNotAllowed", "GET", path("a", "response"), "")
	c.refused(t, 405, "MethodNotAllowed", "POST", next, "")
	c.refused(t, 404, "NotFound", "GET", "/", "")
	c.refused(t, 404, "NotFound", "PUT", base+"invocation/a/b", "x")
	c.refused(t, 404, "NotFound", "GET", base+"invocation", "")
	c.refused(t, 404, "NotFound", "POST", "/2018-06-02/runtime/init/error", "")

	c.want(t, 202, "POST", path("a", "response"), "done")
	if r := call.result(t); string(r.Payload) != "done" {
		t.Errorf("got %+v", r)
	}
	c.refused(t, 403, "InvalidStateTransition", "POST", path("a", "response"), "again")
	c.refused(t, 403, "InvalidStateTransition", "POST", path("a", "error"), "again")
	if c.dials.Load() != 1 {
		t.Errorf("%d connections, want 1: a refusal doesn't cost the connection", c.dials.Load())
	}
}

func TestTooLargeResponse(t *testing.T) {
	const limit = 100_000
	for _, c := range []struct {
		name, action string
		chunked      bool
	}{
		{"announced", "response", false},
		{"chunked", "response", true},
		{"error", "error", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, cl := serve(t, runtimeapi.Options{MaxResponse: limit})
			call := invoke(t, e, &runtimeapi.Invocation{RequestID: "a"})
			cl.want(t, 200, "GET", next, "")
			var body io.Reader = strings.NewReader(strings.Repeat("x", 20*limit))
			if c.chunked {
				body = io.MultiReader(body) // hides the length
			}
			status, _, answer := cl.send(t, "POST", path("a", c.action), body)
			if status != 413 || !strings.Contains(answer, `"errorType":"RequestEntityTooLarge"`) || !strings.Contains(answer, "100000") {
				t.Errorf("%d %s", status, answer)
			}
			if r := call.result(t); r.TooLarge <= limit || r.Payload != nil || r.Error != (c.action == "error") {
				t.Errorf("got %+v", r)
			}

			call = invoke(t, e, &runtimeapi.Invocation{RequestID: "b"})
			cl.want(t, 200, "GET", next, "")
			cl.want(t, 202, "POST", path("b", "response"), strings.Repeat("x", limit))
			if r := call.result(t); len(r.Payload) != limit || r.TooLarge != 0 {
				t.Errorf("a body of exactly the limit: %d bytes, TooLarge %d", len(r.Payload), r.TooLarge)
			}
			if cl.dials.Load() != 1 {
				t.Errorf("%d connections, want 1", cl.dials.Load())
			}
		})
	}
}

func TestLargePayloadsBothWays(t *testing.T) {
	e, c := serve(t, runtimeapi.Options{})
	for _, size := range []int{0, 1, 30_000, 40_000, 1 << 20, 6 << 20} {
		payload := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		call := invoke(t, e, &runtimeapi.Invocation{RequestID: "a", Payload: payload})
		if _, _, body := c.do(t, "GET", next, ""); body != string(payload) {
			t.Fatalf("%d bytes came as %d others", size, len(body))
		}
		c.want(t, 202, "POST", path("a", "response"), string(payload))
		if r := call.result(t); !bytes.Equal(r.Payload, payload) {
			t.Fatalf("%d bytes went as %d others", size, len(r.Payload))
		}
	}
}

func TestAbandonedInvocation(t *testing.T) {
	e, c := serve(t, runtimeapi.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	call := invokeContext(ctx, e, &runtimeapi.Invocation{RequestID: "a"})
	c.want(t, 200, "GET", next, "")
	cancel()
	if got := <-call; !errors.Is(got.err, context.Canceled) || errors.Is(got.err, runtimeapi.ErrNotDelivered) {
		t.Fatalf("got %+v", got)
	}
	c.refused(t, 400, "InvalidRequestID", "POST", path("a", "response"), "late")

	again := invoke(t, e, &runtimeapi.Invocation{RequestID: "b"})
	c.want(t, 200, "GET", next, "")
	c.refused(t, 400, "InvalidRequestID", "POST", path("a", "response"), "later")
	c.want(t, 202, "POST", path("b", "response"), "good")
	if r := again.result(t); string(r.Payload) != "good" {
		t.Errorf("got %+v", r)
	}
}

func TestAbandonedBeforeThePoll(t *testing.T) {
	e, c := serve(t, runtimeapi.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	call := invokeContext(ctx, e, &runtimeapi.Invocation{RequestID: "a"})
	until(e.Waiting)
	cancel()
	if got := <-call; !errors.Is(got.err, context.Canceled) || !errors.Is(got.err, runtimeapi.ErrNotDelivered) {
		t.Errorf("got %+v", got)
	}
	good := invoke(t, e, &runtimeapi.Invocation{RequestID: "b", Payload: []byte("b")})
	if _, _, body := c.do(t, "GET", next, ""); body != "b" {
		t.Errorf("got %q", body)
	}
	c.want(t, 202, "POST", path("b", "response"), "")
	good.result(t)
}

// TestRuntimeThatDoesNotRead holds a caller that has more to write than the
// socket takes.
func TestRuntimeThatDoesNotRead(t *testing.T) {
	l := listen(t)
	e := runtimeapi.Serve(l, runtimeapi.Options{})
	defer e.Close()
	nc := dial(t, l)
	fmt.Fprintf(nc, "GET %s HTTP/1.1\r\n\r\n", next)
	<-e.Ready()
	ctx, cancel := context.WithCancel(t.Context())
	call := invokeContext(ctx, e, &runtimeapi.Invocation{RequestID: "a", Payload: make([]byte, 64<<20)})
	if _, err := io.ReadFull(nc, make([]byte, 1<<10)); err != nil { // it is writing
		t.Fatal(err)
	}
	cancel()
	if got := <-call; !errors.Is(got.err, context.Canceled) {
		t.Errorf("got %+v", got)
	}
}

func TestOneInvocationAtATime(t *testing.T) {
	e, c := serve(t, runtimeapi.Options{})
	call := invoke(t, e, &runtimeapi.Invocation{RequestID: "a"})
	c.want(t, 200, "GET", next, "")
	if _, err := e.Invoke(t.Context(), &runtimeapi.Invocation{RequestID: "b"}); !errors.Is(err, runtimeapi.ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	c.want(t, 202, "POST", path("a", "response"), "")
	call.result(t)
}

func TestCloseEndsEverything(t *testing.T) {
	for _, stage := range []string{"idle", "waiting for a poll", "running", "sending a body", "pipelined"} {
		t.Run(stage, func(t *testing.T) {
			l := listen(t)
			e := runtimeapi.Serve(l, runtimeapi.Options{})
			nc := dial(t, l)
			var call outcome
			switch stage {
			case "idle":
				fmt.Fprintf(nc, "GET %s HTTP/1.1\r\n\r\n", next)
				<-e.Ready()
			case "waiting for a poll":
				call = invoke(t, e, &runtimeapi.Invocation{RequestID: "a"})
			case "running", "sending a body":
				call = invoke(t, e, &runtimeapi.Invocation{RequestID: "a"})
				fmt.Fprintf(nc, "GET %s HTTP/1.1\r\n\r\n", next)
				readUntil(t, nc, "\r\n\r\n")
				if stage == "sending a body" {
					fmt.Fprintf(nc, "POST %s HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345", path("a", "response"))
				}
			case "pipelined":
				fmt.Fprintf(nc, "GET %s HTTP/1.1\r\n\r\nGET /unknown HTTP/1.1\r\n\r\n", next)
				<-e.Ready()
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			if call != nil {
				if got := <-call; !errors.Is(got.err, runtimeapi.ErrClosed) {
					t.Errorf("got %+v", got)
				}
			}
			if _, err := e.Invoke(t.Context(), &runtimeapi.Invocation{}); !errors.Is(err, runtimeapi.ErrClosed) {
				t.Errorf("Invoke after Close: %v", err)
			}
			if err := e.Close(); err != nil {
				t.Errorf("second Close: %v", err)
			}
			if _, err := io.ReadAll(nc); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
				t.Error(err)
			}
		})
	}
}

func TestConnectionLimit(t *testing.T) {
	l := listen(t)
	e := runtimeapi.Serve(l, runtimeapi.Options{})
	defer e.Close()
	for range runtimeapi.MaxConnections {
		nc := dial(t, l)
		fmt.Fprint(nc, "GET / HTTP/1.1\r\n\r\n")
		readUntil(t, nc, "NotFound")
	}
	if b, _ := io.ReadAll(dial(t, l)); len(b) != 0 {
		t.Errorf("one connection too many was answered: %q", b)
	}
}

// TestBrokenPoll is a runtime that gives up on its GET next, and polls again.
func TestBrokenPoll(t *testing.T) {
	idle := make(chan struct{}, 2)
	l := listen(t)
	e := runtimeapi.Serve(l, runtimeapi.Options{OnNext: func() { idle <- struct{}{} }})
	defer e.Close()
	first := dial(t, l)
	fmt.Fprintf(first, "GET %s HTTP/1.1\r\n\r\n", next)
	<-idle
	first.Close()
	second := dial(t, l)
	fmt.Fprintf(second, "GET %s HTTP/1.1\r\n\r\n", next)
	<-idle
	until(func() bool { return e.Connections() == 1 })
	call := invoke(t, e, &runtimeapi.Invocation{RequestID: "a", Payload: []byte("payload")})
	readUntil(t, second, "payload")
	fmt.Fprintf(second, "POST %s HTTP/1.1\r\nContent-Length: 2\r\n\r\nok", path("a", "response"))
	if r := call.result(t); string(r.Payload) != "ok" {
		t.Errorf("got %+v", r)
	}
}

// TestBodyThatBreaks is a response that ends in the middle; the runtime may
// send it again over another connection.
func TestBodyThatBreaks(t *testing.T) {
	e, c := serve(t, runtimeapi.Options{})
	call := invoke(t, e, &runtimeapi.Invocation{RequestID: "a"})
	c.want(t, 200, "GET", next, "")
	nc := dial(t, c.listener)
	fmt.Fprintf(nc, "POST %s HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n", path("a", "response"))
	readUntil(t, nc, "100 Continue\r\n\r\n")
	c.refused(t, 403, "InvalidStateTransition", "POST", path("a", "error"), "while the other is under way")
	fmt.Fprint(nc, "12345")
	nc.Close()
	until(func() bool { return e.Connections() == 1 })
	c.want(t, 202, "POST", path("a", "response"), "whole")
	if r := call.result(t); string(r.Payload) != "whole" {
		t.Errorf("got %+v", r)
	}
}

// narrow is a listener whose connections take little at a time.
type narrow struct{ net.Listener }

func (l narrow) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(1) // the kernel's least
	}
	return c, err
}

// TestPartOfAnInvocation is a runtime that reads slowly, so that the goroutine
// of its GET next can write a part only and the caller of Invoke the rest.
func TestPartOfAnInvocation(t *testing.T) {
	payload := bytes.Repeat([]byte("0123456789abcdef"), 2000)
	for _, giveUp := range []bool{false, true} {
		t.Run(fmt.Sprintf("give up %v", giveUp), func(t *testing.T) {
			l := listen(t)
			e := runtimeapi.Serve(narrow{l}, runtimeapi.Options{})
			defer e.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			call := invokeContext(ctx, e, &runtimeapi.Invocation{RequestID: "a", Payload: payload})
			until(e.Waiting)
			nc, err := (&net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
				return c.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1) }) //nolint:errcheck // the test sees it
			}}).Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			fmt.Fprintf(nc, "GET %s HTTP/1.1\r\n\r\n", next)
			readUntil(t, nc, "\r\n\r\n")
			if giveUp {
				cancel()
				if got := <-call; !errors.Is(got.err, context.Canceled) {
					t.Errorf("got %+v", got)
				}
				readToEnd(t, nc)
				return
			}
			got := make([]byte, len(payload))
			if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, payload) {
				t.Fatalf("%v, or another payload", err)
			}
			fmt.Fprintf(nc, "POST %s HTTP/1.1\r\nContent-Length: 2\r\n\r\nok", path("a", "response"))
			if r := call.result(t); string(r.Payload) != "ok" {
				t.Errorf("got %+v", r)
			}
		})
	}
}
