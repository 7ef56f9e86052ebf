package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hearthd/hearth/internal/state"
)

const (
	// FlushEvery is how long a line waits, at most, until it is published:
	// what a kill -9 can lose.
	FlushEvery = 200 * time.Millisecond
	// MaxPending is how much memory all log lines together may take that are
	// not stored yet.
	MaxPending = 64 << 20
	// DefaultMaxBytes is how much is stored; the oldest goes first.
	DefaultMaxBytes = 1 << 30
	// DefaultMaxAge is how long it is stored.
	DefaultMaxAge = 14 * 24 * time.Hour

	// maxInFlight and maxInFlightBatches bound what was published and is not
	// acknowledged.
	maxInFlight        = 8 << 20
	maxInFlightBatches = 1000
	// ackWithin is how long an acknowledgement may take; then the batch counts as lost.
	ackWithin = 30 * time.Second
	// maxReused is the largest capacity of buffers that are used again: few
	// lines would otherwise hold much memory.
	maxReused = 2 * fullBatch
)

// LogOptions bound the stored logs of all functions together.
type LogOptions struct {
	MaxBytes int64         // 0: DefaultMaxBytes
	MaxAge   time.Duration // 0: DefaultMaxAge
	// Log is told when log lines could not be stored.
	Log *slog.Logger
}

// Logs stores the logs of functions and reads them.
type Logs struct {
	js     jetstream.JetStream
	stored jetstream.Stream
	log    *slog.Logger

	held    atomic.Int64 // bytes of capacity of what is pending, see grow
	buffers sync.Pool    // of *[]byte, empty

	mu    sync.Mutex
	dirty []*LogStream // those with pending lines

	wake   chan struct{} // dirty is not empty; capacity 1
	urgent chan struct{} // do not wait for FlushEvery; capacity 1
	sync   chan chan error
	stop   chan struct{} // closed by Close
	done   chan struct{} // closed when the flusher has ended
	once   sync.Once
}

// OpenLogs opens the stored logs and starts the flusher.
func OpenLogs(ctx context.Context, store *state.Store, o LogOptions) (*Logs, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxAge == 0 {
		o.MaxAge = DefaultMaxAge
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	js := store.JetStream()
	stored, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        logsStream,
		Description: "logs of functions",
		Subjects:    []string{logsSubject + ".>"},
		Storage:     jetstream.FileStorage,
		Discard:     jetstream.DiscardOld,
		MaxBytes:    o.MaxBytes,
		MaxAge:      o.MaxAge,
	})
	if err != nil {
		return nil, fmt.Errorf("open the logs: %w", err)
	}
	l := &Logs{
		js: js, stored: stored, log: o.Log,
		wake: make(chan struct{}, 1), urgent: make(chan struct{}, 1),
		sync: make(chan chan error), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go l.flusher()
	return l, nil
}

// Close publishes what is pending and returns when it is stored. Streams may
// still be written to; it goes nowhere.
func (l *Logs) Close() error {
	l.once.Do(func() { close(l.stop) })
	<-l.done
	return nil
}

// Flush returns when all that was written before is stored.
func (l *Logs) Flush(ctx context.Context) error {
	reply := make(chan error, 1)
	select {
	case l.sync <- reply:
	case <-l.done:
		return errors.New("the logs are closed")
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enqueue is called by a stream for its first pending line.
func (l *Logs) enqueue(s *LogStream) {
	l.mu.Lock()
	l.dirty = append(l.dirty, s)
	first := len(l.dirty) == 1
	l.mu.Unlock()
	if first {
		signal(l.wake)
	}
}

// hurry is called by a stream that has much pending.
func (l *Logs) hurry() { signal(l.urgent) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// grow returns b with room for n more bytes, or false when all pending lines
// together would take more than MaxPending.
func (l *Logs) grow(b []byte, n int) ([]byte, bool) {
	if cap(b)-len(b) >= n {
		return b, true
	}
	size := max(2*cap(b), len(b)+n, 512)
	if l.held.Add(int64(size-cap(b))) > MaxPending {
		l.held.Add(int64(cap(b) - size))
		return b, false
	}
	return append(make([]byte, 0, size), b...), true
}

// release gives back the memory of a buffer that grow made.
func (l *Logs) release(b []byte) { l.held.Add(-int64(cap(b))) }

// buffer returns an empty buffer for grow, a used one if possible.
func (l *Logs) buffer() []byte {
	if b, ok := l.buffers.Get().(*[]byte); ok {
		l.held.Add(int64(cap(*b)))
		return *b
	}
	return nil
}

// recycle is release for buffers that buffer may return.
func (l *Logs) recycle(b []byte) {
	l.release(b)
	if cap(b) >= 512 && cap(b) <= maxReused {
		b = b[:0]
		l.buffers.Put(&b)
	}
}

// flusher is the one goroutine that publishes.
func (l *Logs) flusher() {
	defer close(l.done)
	p := publisher{logs: l}
	for {
		select {
		case <-l.wake:
		case reply := <-l.sync:
			p.flush()
			reply <- p.settle()
			continue
		case <-l.stop:
			p.flush()
			p.report(p.settle())
			return
		}
		timer := time.NewTimer(FlushEvery)
		select {
		case <-timer.C:
			p.flush()
		case <-l.urgent:
			p.flush()
		case reply := <-l.sync:
			p.flush()
			reply <- p.settle()
		case <-l.stop:
			p.flush()
			p.report(p.settle())
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// publisher is the flusher's state.
type publisher struct {
	logs     *Logs
	spare    []*LogStream // dirty's other backing array
	inFlight []publication
	size     int      // bytes in flight
	free     [][]byte // buffers of messages that were acknowledged
	failed   error    // since the last settle
	failing  bool     // and that was the last that was heard
}

type publication struct {
	message  []byte
	future   jetstream.PubAckFuture
	deadline time.Time
}

// answered reports whether the server has said yes or no.
func (p *publication) answered() bool {
	return len(p.future.Ok()) > 0 || len(p.future.Err()) > 0
}

// flush publishes what all streams have pending.
func (p *publisher) flush() {
	p.logs.mu.Lock()
	dirty := p.logs.dirty
	p.logs.dirty = p.spare[:0]
	p.logs.mu.Unlock()
	for i, s := range dirty {
		dirty[i] = nil
		full, last := s.take()
		for _, batch := range full {
			p.publish(s.subject, batch)
		}
		if last != nil {
			p.publish(s.subject, last)
		}
	}
	p.spare = dirty
	p.reap()
}

// publish publishes one batch, after as many acknowledgements as there must be
// for it.
func (p *publisher) publish(subject string, batch []byte) {
	var buf []byte
	if n := len(p.free); n > 0 {
		buf, p.free = p.free[n-1], p.free[:n-1]
	}
	message := compress(buf, batch)
	p.logs.recycle(batch)
	for len(p.inFlight) >= maxInFlightBatches || p.size > 0 && p.size+len(message) > maxInFlight {
		p.await()
	}
	future, err := p.logs.js.PublishAsync(subject, message)
	if err != nil {
		p.lost(err)
		return
	}
	p.inFlight = append(p.inFlight, publication{message, future, time.Now().Add(ackWithin)})
	p.size += len(message)
}

// await waits for the oldest acknowledgement.
func (p *publisher) await() {
	oldest := p.inFlight[0]
	patience := time.Until(oldest.deadline)
	if oldest.answered() {
		patience = ackWithin // however long ago it came: we may not have looked since
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-oldest.future.Ok():
		p.failing = false
		p.reuse(oldest.message)
	case err := <-oldest.future.Err():
		p.lost(err)
		p.reuse(oldest.message)
	case <-timer.C:
		p.lost(errors.New("no acknowledgement")) // and the message may still be used
	}
	p.size -= len(oldest.message)
	p.inFlight[0] = publication{}
	p.inFlight = p.inFlight[1:]
}

// reuse keeps a few buffers for the next messages.
func (p *publisher) reuse(buf []byte) {
	if cap(buf) <= maxReused && len(p.free) < 64 {
		p.free = append(p.free, buf)
	}
}

// reap forgets what was acknowledged by now.
func (p *publisher) reap() {
	for len(p.inFlight) > 0 {
		if !p.inFlight[0].answered() {
			return
		}
		p.await()
	}
	p.inFlight = nil
}

// settle waits until nothing is in flight, and returns what went wrong since
// it was last called.
func (p *publisher) settle() error {
	for len(p.inFlight) > 0 {
		p.await()
	}
	err := p.failed
	p.failed = nil
	return err
}

// lost notes a batch that was not stored; the first of a series is logged.
func (p *publisher) lost(err error) {
	p.failed = fmt.Errorf("store log lines: %w", err)
	if !p.failing {
		p.report(p.failed)
	}
	p.failing = true
}

func (p *publisher) report(err error) {
	if err != nil {
		p.logs.log.Error("log lines of functions are lost", "error", err)
	}
}

// appendDropped appends the notice that stands for dropped lines.
func appendDropped(b []byte, lines int64) []byte {
	b = append(b, "[hearth] "...)
	b = strconv.AppendInt(b, lines, 10)
	b = append(b, " line"...)
	if lines != 1 {
		b = append(b, 's')
	}
	return append(b, " dropped: more output than is kept (1 MB a second, 4 MB at once)"...)
}
