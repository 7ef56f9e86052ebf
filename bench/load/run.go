package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what to send, and for how long.
type Options struct {
	Key  Key
	Addr string // host:port
	// Clients work at the same time.
	Clients int
	// For is how long a closed loop goes on sending Request. It is not used
	// when Requests is set.
	For     time.Duration
	Request Request
	// Requests are sent once each, by whichever client is free.
	Requests []Request
	// Want is the status of a good answer, 200 if zero.
	Want int
}

// Result is what came back.
type Result struct {
	// Latencies of the good answers, sorted.
	Latencies []time.Duration
	// Elapsed from the first request to the last answer.
	Elapsed time.Duration
	// Failed counts the bad answers; Err tells of the first.
	Failed int
	Err    error
}

// Percentile returns the latency that a share p of the answers, from 0 to 1,
// did not exceed (nearest rank).
func (r Result) Percentile(p float64) time.Duration {
	return Percentile(r.Latencies, p)
}

// PerSecond is the rate of good answers.
func (r Result) PerSecond() float64 { return float64(len(r.Latencies)) / r.Elapsed.Seconds() }

// Percentile returns the nearest-rank percentile of sorted values.
func Percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(p*float64(len(sorted)) + 0.999999999)
	return sorted[max(1, min(rank, len(sorted)))-1]
}

// Median returns the middle of values, the mean of the two middle ones if
// their number is even. It doesn't change their order.
func Median[T ~int64 | ~float64](values []T) T {
	s := slices.Sorted(slices.Values(values))
	switch n := len(s); {
	case n == 0:
		return 0
	case n%2 == 1:
		return s[n/2]
	default:
		return (s[n/2-1] + s[n/2]) / 2
	}
}

// perClient is how many latencies there is room for before a client has to
// allocate: more than a connection manages in the longest round.
const perClient = 1 << 18

// Run sends and waits until all is answered. An error is one of setting up;
// bad answers are in the result.
func Run(ctx context.Context, o Options) (Result, error) {
	if o.Want == 0 {
		o.Want = 200
	}
	room := perClient
	if o.Requests != nil {
		room = len(o.Requests)
	}
	clients := make([]*worker, o.Clients)
	for i := range clients {
		c, err := Dial(o.Addr)
		if err != nil {
			return Result{}, err
		}
		defer c.Close()
		clients[i] = &worker{o: &o, conn: c, latencies: make([]time.Duration, 0, room)}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var next atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for _, w := range clients {
		wg.Go(func() {
			if o.Requests != nil {
				w.list(ctx, &next)
			} else {
				w.loop(ctx, begin.Add(o.For))
			}
		})
	}
	wg.Wait()
	res := Result{Elapsed: time.Since(begin)}
	for _, w := range clients {
		res.Latencies = append(res.Latencies, w.latencies...)
		res.Failed += w.failed
		if res.Err == nil {
			res.Err = w.err
		}
	}
	slices.Sort(res.Latencies)
	return res, nil
}

// worker is one client.
type worker struct {
	o         *Options
	conn      *Conn
	latencies []time.Duration
	failed    int
	err       error
}

func (w *worker) loop(ctx context.Context, end time.Time) {
	s := signer{key: w.o.Key, request: w.o.Request}
	for now := time.Now(); now.Before(end) && ctx.Err() == nil; {
		then := now
		status, err := w.conn.Do(s.bytes(then))
		now = time.Now()
		if !w.count(then, now, status, err) {
			return
		}
	}
}

func (w *worker) list(ctx context.Context, next *atomic.Int64) {
	for ctx.Err() == nil {
		i := next.Add(1) - 1
		if i >= int64(len(w.o.Requests)) {
			return
		}
		b := w.o.Key.Sign(w.o.Requests[i], time.Now())
		then := time.Now()
		status, err := w.conn.Do(b)
		if !w.count(then, time.Now(), status, err) {
			return
		}
	}
}

// count records an answer and tells whether the connection is still good.
func (w *worker) count(from, to time.Time, status int, err error) bool {
	if err == nil && (status != w.o.Want || w.conn.FunctionError) {
		err = fmt.Errorf("status %d: %.300s", status, w.conn.Body)
		w.fail(err)
		return true
	}
	if err != nil {
		w.fail(err)
		return false
	}
	w.latencies = append(w.latencies, to.Sub(from))
	return true
}

func (w *worker) fail(err error) {
	w.failed++
	if w.err == nil {
		w.err = err
	}
}

// Check returns the first bad answer as an error.
func (r Result) Check() error {
	if r.Failed > 0 {
		return fmt.Errorf("%d of %d requests failed, the first with: %w", r.Failed, r.Failed+len(r.Latencies), r.Err)
	}
	if len(r.Latencies) == 0 {
		return errors.New("no request was answered")
	}
	return nil
}
