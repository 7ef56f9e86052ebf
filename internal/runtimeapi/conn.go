package runtimeapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"time"
)

const (
	// readBuffer holds the head and the body of an ordinary POST, so that one
	// read gets both. It is most of what an idle connection costs.
	readBuffer = 4 << 10
	// drainLimit is how much of a body that nobody wants is read to keep the
	// connection: a client that is still writing when its answer comes and the
	// connection closes may never see the answer.
	drainLimit = 64 << 20
)

// conn is one connection of the runtime's HTTP client. Its goroutine runs
// serve, which is always reading; it ends when the other end or the Endpoint
// closes the connection.
type conn struct {
	endpoint *Endpoint
	net      net.Conn
	r        *bufio.Reader
	head     head

	// turn is the right to write to the connection. A GET next keeps it
	// locked until the invocation is written, by whichever goroutine does
	// that; an answer to a request pipelined behind it has to wait.
	turn sync.Mutex
	out  nonblockingWriter
	// closing is set before turn is unlocked by whoever answered a request
	// that asked for the connection to be closed.
	closing bool
}

func newConn(e *Endpoint, nc net.Conn) *conn {
	c := &conn{endpoint: e, net: nc, r: bufio.NewReaderSize(nc, readBuffer)}
	if tcp, ok := nc.(*net.TCPConn); ok {
		// An environment's end of the connection lives and dies with the
		// environment: probing it would only wake the kernel for every idle
		// environment.
		tcp.SetKeepAlive(false) //nolint:errcheck // costs wake-ups, nothing else
	}
	c.out.init(nc)
	return c
}

// serve answers the requests of one connection, one after the other.
func (c *conn) serve() {
	defer c.endpoint.forget(c)
	defer c.net.Close() // nothing to do about it
	for {
		err := c.serveOne()
		if err == nil {
			continue
		}
		if refused, ok := errors.AsType[*refusal](err); ok { // the request could not be understood
			c.head.close = true
			if err = c.refuse(refused); err == nil {
				err = c.linger()
			}
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
			c.endpoint.log.Debug("Runtime API connection ended", "err", err)
		}
		return
	}
}

// linger ends the connection for the other end, which may still be writing:
// closing with something unread would reset it, and the answer be lost.
func (c *conn) linger() error {
	if half, ok := c.net.(interface{ CloseWrite() error }); ok {
		if err := half.CloseWrite(); err != nil {
			return err
		}
	}
	_, err := io.CopyN(io.Discard, c.r, drainLimit)
	return err
}

// errClose ends a connection after an answer that announced its end.
var errClose = errors.New("connection closed after the answer")

// serveOne reads and answers one request. An error ends the connection; if it
// is a *refusal, that is still to be written.
func (c *conn) serveOne() error {
	h := &c.head
	if err := h.read(c.r); err != nil {
		return err
	}
	var err error
	switch h.route {
	case routeNext:
		return c.next()
	case routeResponse:
		err = c.respond(responding)
	case routeError:
		err = c.respond(respondingError)
	case routeInitError:
		err = c.initError()
	case routeWrongMethod:
		err = c.refuseUnread(errMethod)
	default:
		err = c.refuseUnread(errPath)
	}
	if err == nil && h.close {
		return errClose
	}
	return err
}

// next registers the connection as waiting for an invocation, and goes on
// reading: the answer is written by giveInvocation.
func (c *conn) next() error {
	if err := c.drain(); err != nil {
		return err
	}
	c.turn.Lock()
	if c.closing { // by a GET next before this one
		c.turn.Unlock()
		return errClose
	}
	c.closing = c.head.close
	idle, refused := c.endpoint.poll(c)
	if refused != nil {
		c.closing = false
		c.turn.Unlock()
		if err := c.refuse(refused); err != nil {
			return err
		}
		if c.head.close {
			return errClose
		}
		return nil
	}
	if idle && c.endpoint.onNext != nil {
		c.endpoint.onNext()
	}
	return nil
}

// tryInvocation answers the GET next that c waits with as far as that goes
// without blocking, and tells whether it was all.
func (c *conn) tryInvocation(inv *Invocation) (written int, whole bool) {
	if len(inv.Payload) > maxJoined {
		return 0, false
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	b := append(appendInvocationHead((*buf)[:0], inv, c.closing), inv.Payload...)
	*buf = b
	n, err := c.out.try(b)
	if err != nil || n < len(b) {
		return n, false
	}
	if c.closing {
		c.net.Close() // ends serve, which forgets it
	}
	c.turn.Unlock()
	return n, true
}

// giveInvocation answers the GET next that c waits with, except for what is
// already written, on the goroutine of the caller of Invoke. It ends early when
// ctx does.
func (c *conn) giveInvocation(ctx context.Context, inv *Invocation, written int) error {
	defer c.turn.Unlock()
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	b := appendInvocationHead((*buf)[:0], inv, c.closing)
	var err error
	if len(inv.Payload) <= maxJoined {
		b = append(b, inv.Payload...)
		*buf = b
		err = c.write(ctx, b[written:], nil)
	} else {
		err = c.write(ctx, b, inv.Payload)
	}
	if err != nil || c.closing {
		c.net.Close() // ends serve, which forgets it
	}
	return err
}

// write writes a and then b. Nearly always both fit into the socket's buffer
// and it takes one system call that can't block; only when they don't does it
// have to watch ctx.
func (c *conn) write(ctx context.Context, a, b []byte) error {
	if len(b) == 0 {
		n, err := c.out.try(a)
		if err != nil || n == len(a) {
			return err
		}
		a = a[n:]
	}
	stop := context.AfterFunc(ctx, func() { c.net.SetWriteDeadline(time.Unix(1, 0)) }) //nolint:errcheck // fails when closed
	bufs := net.Buffers{a, b}
	_, err := bufs.WriteTo(c.net)
	if !stop() && err == nil {
		err = ctx.Err() // the deadline stays, and the connection is of no use
	}
	return err
}

// respond is a POST to …/response or …/error.
func (c *conn) respond(as state) error {
	e, h := c.endpoint, &c.head
	call, refused := e.claim(h.id(), as)
	if refused != nil {
		return c.refuseUnread(refused)
	}
	if h.badMode {
		e.release(call)
		return c.refuseUnread(errMode)
	}
	if err := c.proceed(); err != nil {
		e.release(call)
		return err
	}
	body := bodyReader{r: c.r, head: h, limit: e.maxResponse}
	payload, err := body.read()
	if tooLarge, ok := errors.AsType[tooLargeError](err); ok {
		refused = e.finish(call, &Result{TooLarge: int64(tooLarge), ContentType: h.contentType, Error: as == respondingError})
		if err := body.drain(drainLimit); err != nil {
			return err
		}
		if refused == nil {
			refused = refuseTooLarge(e.maxResponse)
		}
		return c.refuse(refused)
	}
	if err != nil {
		e.release(call)
		return err
	}
	res := &Result{Payload: payload, ContentType: h.contentType, Error: as == respondingError, ErrorType: h.errorType}
	if body.trailer.errorType != "" { // a stream that ended in an error
		res.Error, res.ErrorType = true, body.trailer.errorType
		if len(body.trailer.errorBody) > 0 {
			res.Payload, res.ContentType = body.trailer.errorBody, "application/json"
		}
	}
	if refused := e.finish(call, res); refused != nil {
		return c.refuse(refused)
	}
	// The caller of Invoke is next on this processor; without this it would
	// wait there until the 202 is written.
	runtime.Gosched()
	return c.accept()
}

// initError is a POST to …/init/error.
func (c *conn) initError() error {
	e := c.endpoint
	if refused := e.claimInitError(); refused != nil {
		return c.refuseUnread(refused)
	}
	// From here there is no way back: whatever comes of the body, the
	// initialisation has failed. The report comes before the answer, because
	// the process exits as soon as it has that.
	payload, err := c.initErrorBody()
	e.initError <- InitError{Payload: payload, ErrorType: c.head.errorType}
	if _, tooLarge := errors.AsType[tooLargeError](err); tooLarge {
		return c.refuse(refuseTooLarge(e.maxResponse))
	}
	if err != nil {
		return err
	}
	return c.accept()
}

func (c *conn) initErrorBody() ([]byte, error) {
	if err := c.proceed(); err != nil {
		return nil, err
	}
	body := bodyReader{r: c.r, head: &c.head, limit: c.endpoint.maxResponse}
	payload, err := body.read()
	if _, tooLarge := errors.AsType[tooLargeError](err); tooLarge {
		if err := body.drain(drainLimit); err != nil {
			return nil, err
		}
	}
	return payload, err
}

// proceed tells a client that asked for it to send the body.
func (c *conn) proceed() error {
	if !c.head.expectContinue {
		return nil
	}
	c.head.expectContinue = false
	return c.answer(answerContinue)
}

// drain reads the body of a request that is not interested in it.
func (c *conn) drain() error {
	if !c.head.hasBody() {
		return nil
	}
	if c.head.expectContinue { // it was not sent, and won't be
		c.head.close = true
		return nil
	}
	body := bodyReader{r: c.r, head: &c.head}
	return body.drain(drainLimit)
}

// refuseUnread refuses a request whose body is still to come.
func (c *conn) refuseUnread(r *refusal) error {
	if err := c.drain(); err != nil {
		return err
	}
	return c.refuse(r)
}

func (c *conn) refuse(r *refusal) error {
	c.endpoint.log.Debug("Runtime API request refused", "err", r)
	return c.answer(r.response(c.head.isHead, c.head.close))
}

func (c *conn) accept() error {
	if c.head.close {
		return c.answer(answerAcceptedClose)
	}
	return c.answer(answerAccepted)
}

func (c *conn) answer(b []byte) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	if c.closing {
		return errClose
	}
	_, err := c.net.Write(b)
	return err
}
