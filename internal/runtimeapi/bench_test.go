package runtimeapi_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/runtimeapi"
)

// BenchmarkRoundTrip is one warm invocation: Invoke, the runtime's read of it,
// its POST and the next GET, over loopback TCP. The runtime's side is minimal,
// so what is left is the endpoint and the kernel. The net/http variant is the
// same conversation with a server as one would first write it, for comparison.
func BenchmarkRoundTrip(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("endpoint/%d", size), func(b *testing.B) {
			l := listen(b)
			e := runtimeapi.Serve(l, runtimeapi.Options{})
			defer e.Close()
			benchmark(b, l, size, e.Invoke)
		})
		b.Run(fmt.Sprintf("nethttp/%d", size), func(b *testing.B) {
			l := listen(b)
			s := newPlainServer()
			srv := &http.Server{Handler: s}
			go srv.Serve(l) //nolint:errcheck // until it is closed
			defer srv.Close()
			benchmark(b, l, size, s.invoke)
		})
	}
}

func benchmark(b *testing.B, l net.Listener, size int, invoke func(context.Context, *runtimeapi.Invocation) (*runtimeapi.Result, error)) {
	go echoRaw(b, l.Addr().String())
	inv := &runtimeapi.Invocation{
		RequestID:   "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
		FunctionARN: "arn:aws:lambda:eu-central-1:123456789012:function:echo",
		TraceID:     "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
		Deadline:    time.Now().Add(time.Hour),
		Payload:     bytes.Repeat([]byte("x"), size),
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour) // as the worker has one
	defer cancel()
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		if r, err := invoke(ctx, inv); err != nil || len(r.Payload) != size {
			b.Fatal(r, err)
		}
	}
}

// echoRaw is a runtime that answers every invocation with its payload, over
// one connection, until that breaks.
func echoRaw(tb testing.TB, addr string) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Error(err)
		return
	}
	defer nc.Close()
	r := bufio.NewReaderSize(nc, 64<<10)
	get := []byte("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: raw\r\n\r\n")
	var out, payload []byte
	var id string
	out = get
	for {
		if _, err := nc.Write(out); err != nil {
			return
		}
		for range 2 { // 202 for the POST if there was one, then the invocation
			n, gotID, err := readAnswer(r, &payload)
			if err != nil {
				return
			}
			if gotID != "" {
				id, payload = gotID, payload[:n]
				break
			}
			if _, err := nc.Write(get); err != nil {
				return
			}
		}
		out = fmt.Appendf(out[:0:0], "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: raw\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", id, len(payload))
		out = append(out, payload...)
	}
}

func readAnswer(r *bufio.Reader, payload *[]byte) (n int, id string, err error) {
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, "", err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 && !first {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Lambda-Runtime-Aws-Request-Id: ")); ok {
			id = string(v)
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			n, _ = strconv.Atoi(string(v))
		}
	}
	if cap(*payload) < n {
		*payload = make([]byte, n)
	}
	_, err = io.ReadFull(r, (*payload)[:n])
	return n, id, err
}

// plainServer is the Runtime API's happy path on net/http.
type plainServer struct {
	mux     http.ServeMux
	next    chan *runtimeapi.Invocation
	results chan *runtimeapi.Result
}

func newPlainServer() *plainServer {
	s := &plainServer{next: make(chan *runtimeapi.Invocation), results: make(chan *runtimeapi.Result, 1)}
	s.mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case inv := <-s.next:
			h := w.Header()
			h["Date"] = nil
			h.Set("Content-Type", "application/json")
			h.Set("Content-Length", strconv.Itoa(len(inv.Payload)))
			h.Set("Lambda-Runtime-Aws-Request-Id", inv.RequestID)
			h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.Deadline.UnixMilli(), 10))
			h.Set("Lambda-Runtime-Invoked-Function-Arn", inv.FunctionARN)
			h.Set("Lambda-Runtime-Trace-Id", inv.TraceID)
			w.Write(inv.Payload)
		case <-r.Context().Done():
		}
	})
	s.mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			return
		}
		s.results <- &runtimeapi.Result{Payload: body, ContentType: r.Header.Get("Content-Type")}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, `{"status":"OK"}`)
	})
	return s
}

func (s *plainServer) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *plainServer) invoke(ctx context.Context, inv *runtimeapi.Invocation) (*runtimeapi.Result, error) {
	select {
	case s.next <- inv:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case r := <-s.results:
		return r, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
