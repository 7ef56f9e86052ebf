package runtimeapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hearthd/hearth/internal/runtimeapi"
	"pgregory.net/rapid"
)

// TestAnyOrder drives the endpoint with polls, responses, errors, broken
// connections, abandoned invocations in any order, and compares every answer
// with a model of one runtime and one caller.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		m := &model{l: l, e: runtimeapi.Serve(l, runtimeapi.Options{})}
		defer m.close(t)
		t.Repeat(map[string]func(*rapid.T){
			"invoke":     m.invoke,
			"abandon":    m.abandon,
			"poll":       m.poll,
			"respond":    m.respond,
			"repeat":     m.respondAgain,
			"foreign":    m.respondForeign,
			"break body": m.breakBody,
			"disconnect": m.disconnect,
		})
	})
}

type model struct {
	l net.Listener
	e *runtimeapi.Endpoint

	quiet   []*peer // connections with nothing outstanding
	polling []*peer // with an unanswered GET next, oldest first

	n        int // invocations so far; the number is in the request ID
	call     outcome
	cancel   context.CancelFunc
	running  bool // the runtime has it
	answered string
}

type peer struct {
	net.Conn
	r *bufio.Reader
}

func (m *model) id() string { return fmt.Sprintf("id-%d", m.n) }

func (m *model) invoke(t *rapid.T) {
	if m.call != nil {
		if _, err := m.e.Invoke(context.Background(), &runtimeapi.Invocation{}); !errors.Is(err, runtimeapi.ErrBusy) {
			t.Fatalf("a second Invoke: %v", err)
		}
		return
	}
	m.n++
	var ctx context.Context
	ctx, m.cancel = context.WithCancel(context.Background())
	m.call = invokeContext(ctx, m.e, &runtimeapi.Invocation{RequestID: m.id(), Payload: []byte(m.id())})
	if len(m.polling) == 0 {
		until(m.e.Waiting)
		return
	}
	p := m.polling[0]
	m.polling = m.polling[1:]
	m.receive(t, p)
}

// receive reads the invocation that p polled for.
func (m *model) receive(t *rapid.T, p *peer) {
	status, id, body := p.answer(t)
	if status != 200 || id != m.id() || body != m.id() {
		t.Fatalf("polled %d %q %q, want %s", status, id, body, m.id())
	}
	m.running = true
	m.quiet = append(m.quiet, p)
}

func (m *model) abandon(t *rapid.T) {
	if m.call == nil {
		t.Skip()
	}
	m.cancel()
	if got := <-m.call; !errors.Is(got.err, context.Canceled) {
		t.Fatalf("abandoned: %+v", got)
	}
	m.answered, m.call, m.running = "", nil, false
}

func (m *model) poll(t *rapid.T) {
	p := m.take(t)
	fmt.Fprintf(p, "GET %s HTTP/1.1\r\n\r\n", next)
	if m.call != nil && !m.running {
		m.receive(t, p)
		return
	}
	m.polling = append(m.polling, p)
	until(func() bool { return m.e.Pending() == len(m.polling) })
	if m.e.Idle() != (m.call == nil) {
		t.Fatalf("Idle is %v", m.e.Idle())
	}
}

func (m *model) respond(t *rapid.T) {
	if !m.running {
		t.Skip()
	}
	action := rapid.SampledFrom([]string{"response", "error"}).Draw(t, "action")
	body := rapid.StringN(0, 10_000, -1).Draw(t, "body")
	m.post(t, m.id(), action, body, 202)
	got := <-m.call
	if got.err != nil || string(got.result.Payload) != body || got.result.Error != (action == "error") {
		t.Fatalf("result: %+v, want %q", got, body)
	}
	m.cancel()
	m.answered, m.call, m.running = m.id(), nil, false
}

func (m *model) respondAgain(t *rapid.T) {
	if m.answered == "" {
		t.Skip()
	}
	m.post(t, m.answered, "response", "again", 403)
}

func (m *model) respondForeign(t *rapid.T) {
	id := fmt.Sprintf("id-%d", m.n+rapid.SampledFrom([]int{-2, 1}).Draw(t, "distance"))
	if id == m.answered {
		t.Skip()
	}
	m.post(t, id, rapid.SampledFrom([]string{"response", "error"}).Draw(t, "action"), "foreign", 400)
}

// breakBody begins a response and ends the connection within it; meanwhile
// another response is refused.
func (m *model) breakBody(t *rapid.T) {
	if !m.running {
		t.Skip()
	}
	p := m.take(t)
	fmt.Fprintf(p, "POST %s HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n", path(m.id(), "response"))
	if status, _, _ := p.answer(t); status != 100 {
		t.Fatalf("got %d, want 100", status)
	}
	fmt.Fprint(p, "12345")
	m.post(t, m.id(), "error", "other", 403)
	m.hangUp(p)
}

func (m *model) disconnect(t *rapid.T) {
	n := len(m.quiet) + len(m.polling)
	if n == 0 {
		t.Skip()
	}
	from, i := &m.quiet, rapid.IntRange(0, n-1).Draw(t, "connection")
	if i >= len(m.quiet) {
		from, i = &m.polling, i-len(m.quiet)
	}
	p := (*from)[i]
	*from = slices.Delete(*from, i, i+1)
	m.hangUp(p)
}

// hangUp closes a connection, which no list holds any more, and waits until
// the endpoint knows.
func (m *model) hangUp(p *peer) {
	p.Close()
	until(func() bool { return m.e.Connections() == len(m.quiet)+len(m.polling) })
}

// post sends a response over some connection and wants a status.
func (m *model) post(t *rapid.T, id, action, body string, want int) {
	p := m.take(t)
	if rapid.Bool().Draw(t, "chunked") {
		fmt.Fprintf(p, "POST %s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", path(id, action))
		if body != "" {
			fmt.Fprintf(p, "%x\r\n%s\r\n", len(body), body)
		}
		fmt.Fprint(p, "0\r\n\r\n")
	} else {
		fmt.Fprintf(p, "POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s", path(id, action), len(body), body)
	}
	if status, _, answer := p.answer(t); status != want {
		t.Fatalf("%s for %s: %d %s, want %d", action, id, status, answer, want)
	}
	m.quiet = append(m.quiet, p)
}

// take removes a connection from the quiet ones, or makes one.
func (m *model) take(t *rapid.T) *peer {
	if n := len(m.quiet); n > 0 && rapid.IntRange(0, 3).Draw(t, "reuse") > 0 || len(m.quiet)+len(m.polling) > 20 && n > 0 {
		p := m.quiet[n-1]
		m.quiet = m.quiet[:n-1]
		return p
	}
	if len(m.polling) > 40 {
		t.Skip()
	}
	nc, err := net.Dial("tcp", m.l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return &peer{nc, bufio.NewReader(nc)}
}

func (p *peer) answer(t *rapid.T) (status int, id, body string) {
	res, err := http.ReadResponse(p.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	if _, err := io.Copy(&b, res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("Lambda-Runtime-Aws-Request-Id"), b.String()
}

func (m *model) close(t *rapid.T) {
	if err := m.e.Close(); err != nil {
		t.Error(err)
	}
	if m.call != nil {
		if got := <-m.call; !errors.Is(got.err, runtimeapi.ErrClosed) {
			t.Errorf("after Close: %+v", got)
		}
		m.cancel()
	}
	for _, p := range append(m.quiet, m.polling...) {
		p.Close()
	}
}
