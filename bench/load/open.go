package load

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hearthd/hearth/bench/proc"
)

// Open says what an open loop sends, and when.
type Open struct {
	Key  Key
	Addr string // host:port
	// Clients are the connections. Their number bounds how many requests are
	// under way; more that are due wait for one, and that counts as latency.
	Clients  int
	Requests []Request
	// Due says when the i-th request is due, counted from the start, and which
	// of Requests it is; false when there are no more. It is called by many
	// goroutines, and later requests must not be due earlier.
	Due func(i int64) (at time.Duration, request int, ok bool)
	// Keep names headers of answers that Judge looks at.
	Keep []string
	// Judge looks at an answer that came; an error makes it a failed one. What
	// it returns besides is kept with the answer. Nil: 200 without a function's
	// error is good.
	Judge func(c *Conn, status int, sent time.Time) (mark uint64, err error)
}

// Steady is a schedule for [Open] of one request at a constant rate, without
// an end if length is 0.
func Steady(perSecond float64, length time.Duration) func(int64) (time.Duration, int, bool) {
	each := float64(time.Second) / perSecond
	return func(i int64) (time.Duration, int, bool) {
		at := time.Duration(float64(i) * each)
		return at, 0, length == 0 || at < length
	}
}

// Answer is what became of one request of an open loop.
type Answer struct {
	// Due is when it was due, counted from the start; Late how much later it
	// was sent, Took how much later than it was due the answer was there.
	Due, Late, Took time.Duration
	Request         int
	Mark            uint64
	Failed          bool
}

// Sent is when the request was sent.
func (a Answer) Sent() time.Duration { return a.Due + a.Late }

// Done is when the answer was there.
func (a Answer) Done() time.Duration { return a.Due + a.Took }

// Stream is an open loop under way.
type Stream struct {
	Began time.Time

	stop    context.CancelFunc
	end     func() // of being favoured
	wg      sync.WaitGroup
	clients []*caller
}

// RestAfter is how long a connection may rest before the server may have
// closed it.
const RestAfter = 5 * time.Second

// Begin opens the connections and starts sending, favoured before other
// processes if it may be, since it stands for clients on other machines. It goes on until the
// schedule or ctx ends, or [Stream.End] is called.
func Begin(ctx context.Context, o Open) (*Stream, error) {
	if o.Judge == nil {
		o.Judge = good
	}
	s := &Stream{}
	for range o.Clients {
		w := &caller{o: &o, signers: map[int]*signer{}, answers: make([]Answer, 0, 4096)}
		if err := w.dial(); err != nil {
			s.close()
			return nil, err
		}
		s.clients = append(s.clients, w)
	}
	ctx, s.stop = context.WithCancel(ctx)
	s.end = proc.Favour()
	var next atomic.Int64
	s.Began = time.Now()
	for _, w := range s.clients {
		s.wg.Go(func() { w.run(ctx, s.Began, &next) })
	}
	return s, nil
}

// Since is the time since the stream began, as its answers count it.
func (s *Stream) Since() time.Duration { return time.Since(s.Began) }

// End sends what is due already and nothing more, and returns what became of
// all of it, in the order in which it was due.
func (s *Stream) End() ([]Answer, error) {
	s.stop()
	return s.Wait()
}

// Wait waits for the end of the schedule. The error tells of the first failed
// answer, and is no reason to throw the others away.
func (s *Stream) Wait() ([]Answer, error) {
	s.wg.Wait()
	s.end()
	s.stop()
	s.close()
	var all []Answer
	var err error
	for _, w := range s.clients {
		all = append(all, w.answers...)
		err = cmp.Or(err, w.err)
	}
	slices.SortFunc(all, func(a, b Answer) int { return cmp.Compare(a.Due, b.Due) })
	return all, err
}

func (s *Stream) close() {
	for _, w := range s.clients {
		if w.conn != nil {
			w.conn.Close() // only read
		}
	}
}

// caller is one client of an open loop.
type caller struct {
	o       *Open
	conn    *Conn // nil after it broke
	used    time.Time
	signers map[int]*signer // by request
	answers []Answer
	err     error
}

func (w *caller) dial() error {
	if w.conn != nil {
		w.conn.Close() // it rested, or broke
	}
	var err error
	if w.conn, err = Dial(w.o.Addr); err != nil {
		return err
	}
	w.conn.Keep(w.o.Keep...)
	w.used = time.Now()
	return nil
}

func (w *caller) run(ctx context.Context, began time.Time, next *atomic.Int64) {
	timer := time.NewTimer(time.Hour) // until sets it
	defer timer.Stop()
	for {
		at, request, ok := w.o.Due(next.Add(1) - 1)
		if !ok || !until(ctx, timer, began.Add(at)) {
			return
		}
		sent := time.Now()
		mark, err := w.send(request, sent)
		w.answers = append(w.answers, Answer{
			Due: at, Late: sent.Sub(began) - at, Took: time.Since(began) - at,
			Request: request, Mark: mark, Failed: err != nil,
		})
		w.err = cmp.Or(w.err, err)
	}
}

// until waits for a moment, which may be past; false when ctx ends before it.
func until(ctx context.Context, timer *time.Timer, moment time.Time) bool {
	wait := time.Until(moment)
	if wait <= 0 {
		return true
	}
	timer.Reset(wait)
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return time.Until(moment) <= 0
	}
}

func (w *caller) send(request int, now time.Time) (mark uint64, err error) {
	if w.conn == nil || now.Sub(w.used) > RestAfter {
		if err := w.dial(); err != nil {
			return 0, err
		}
	}
	w.used = now
	s := w.signers[request]
	if s == nil {
		s = &signer{key: w.o.Key, request: w.o.Requests[request]}
		w.signers[request] = s
	}
	status, err := w.conn.Do(s.bytes(now))
	if err != nil {
		w.conn.Close() // it is of no use any more
		w.conn = nil
		return 0, err
	}
	return w.o.Judge(w.conn, status, now)
}

// good is what an answer is that nothing is known about.
func good(c *Conn, status int, _ time.Time) (uint64, error) {
	if status != 200 || c.FunctionError {
		return 0, fmt.Errorf("status %d: %.300s", status, c.Body)
	}
	return 0, nil
}
