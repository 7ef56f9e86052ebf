package telemetry

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hearthd/hearth/internal/function"
)

const (
	// holdFor is how long Follow keeps an event back for earlier ones of other
	// streams, whose batches may come up to FlushEvery later.
	holdFor = FlushEvery + 50*time.Millisecond
	// spread is how much older than its message an event may be and still be
	// put in order when stored logs are read.
	spread = 2 * time.Second
	// clockSkew allows for a NATS server whose clock differs from this node's.
	clockSkew = 10 * time.Second
	// patience is how long stored batches may take to come before it is asked
	// whether they are still there.
	patience = 2 * time.Second
	// maxKept bounds the memory for the events that Limit asks for.
	maxKept = 32 << 20
	// maxHeld bounds the memory for events that are put in order.
	maxHeld = 32 << 20
)

// Event is one line of a log.
type Event struct {
	Time    time.Time
	Stream  string // the name of the log stream
	Message string // without a newline at its end
}

// ReadOptions say what to read; the zero value means all that is stored.
type ReadOptions struct {
	// Since leaves out events before it.
	Since time.Time
	// Follow goes on with events as they come, at most 300 ms after they were
	// written on a node that keeps up, until ctx ends.
	Follow bool
	// Limit is the number of the stored events to begin with, the newest; 0
	// means all. What is followed is not limited.
	Limit int
}

// Read calls f for the events of a function's log in the order of time. It
// returns the error of f, or of ctx when that ends a Follow. What this node
// wrote before the call is among the events.
func (l *Logs) Read(ctx context.Context, fn function.Key, o ReadOptions, f func(Event) error) error {
	if err := l.Flush(ctx); err != nil {
		return err
	}
	info, err := l.stored.Info(ctx)
	if err == nil {
		r := reader{options: o, last: info.State.LastSeq, deliver: f}
		err = r.read(ctx, l.js, fn)
	}
	if err != nil {
		return fmt.Errorf("read the log of %s: %w", fn.Name, err)
	}
	return nil
}

// reader is one Read.
type reader struct {
	options ReadOptions
	last    uint64 // sequence of the last batch stored when Read was called
	deliver func(Event) error
	held    events  // to be put in order
	kept    []Event // the newest of the stored ones, when there is a Limit
	size    int     // bytes in kept
}

func (r *reader) read(ctx context.Context, js jetstream.JetStream, fn function.Key) error {
	config := jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject(fn)}}
	if !r.options.Since.IsZero() {
		from := r.options.Since.Add(-clockSkew) // a batch is younger than its events
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &from
	}
	consumer, err := js.OrderedConsumer(ctx, logsStream, config)
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(1000, 2<<20))
	if err != nil {
		return err
	}
	defer messages.Stop()
	if err := r.stored(ctx, consumer, messages); err != nil || !r.options.Follow {
		return err
	}
	return r.follow(ctx, messages)
}

// stored delivers what was stored when Read was called.
func (r *reader) stored(ctx context.Context, consumer jetstream.Consumer, messages jetstream.MessagesContext) error {
	for more := anything(ctx, consumer); more; {
		m, err := next(ctx, messages, time.Now().Add(patience))
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			more = anything(ctx, consumer) // the rest grew too old meanwhile
			continue
		}
		if err != nil {
			return err
		}
		meta, err := r.take(m)
		if err != nil {
			return err
		}
		more = meta.NumPending > 0 && meta.Sequence.Stream < r.last
		if err := r.release(meta.Timestamp.Add(-spread), r.keep); err != nil {
			return err
		}
	}
	if !r.options.Follow {
		if err := r.release(never, r.keep); err != nil {
			return err
		}
	}
	for _, e := range r.kept {
		if err := r.deliver(e); err != nil {
			return err
		}
	}
	r.kept = nil
	return ctx.Err()
}

// anything tells whether there are stored batches that were not delivered. It
// says yes when it cannot know, for Next to return the reason.
func anything(ctx context.Context, consumer jetstream.Consumer) bool {
	info, err := consumer.Info(ctx)
	return err != nil || info.NumPending > 0
}

// never is later than any event.
var never = time.UnixMilli(1 << 52)

// keep delivers an event at once, or with a Limit keeps it as long as it is
// among the newest.
func (r *reader) keep(e Event) error {
	if r.options.Limit <= 0 {
		return r.deliver(e)
	}
	r.kept = append(r.kept, e)
	r.size += len(e.Message)
	for len(r.kept) > r.options.Limit || r.size > maxKept && len(r.kept) > 1 {
		r.size -= len(r.kept[0].Message)
		r.kept[0] = Event{}
		r.kept = r.kept[1:]
	}
	return nil
}

// follow delivers events as they come, each when it is holdFor old.
func (r *reader) follow(ctx context.Context, messages jetstream.MessagesContext) error {
	for {
		if err := r.release(time.Now().Add(-holdFor), r.deliver); err != nil {
			return err
		}
		var due time.Time
		if len(r.held.list) > 0 {
			due = r.held.list[0].Time.Add(holdFor + time.Millisecond)
		}
		m, err := next(ctx, messages, due)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, context.DeadlineExceeded) {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := r.take(m); err != nil {
			return err
		}
	}
}

// next waits for a message until the deadline, if there is one.
func next(ctx context.Context, messages jetstream.MessagesContext, deadline time.Time) (jetstream.Msg, error) {
	if !deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	return messages.Next(jetstream.NextContext(ctx))
}

// take puts the events of a message among those held.
func (r *reader) take(m jetstream.Msg) (*jetstream.MsgMetadata, error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, err
	}
	return meta, eachEvent(m.Data(), func(e Event) {
		if !e.Time.Before(r.options.Since.Truncate(time.Millisecond)) {
			r.held.add(e)
		}
	})
}

// release hands on the events before a time, and as many more as memory asks for.
func (r *reader) release(before time.Time, to func(Event) error) error {
	for len(r.held.list) > 0 && (r.held.list[0].Time.Before(before) || r.held.size > maxHeld) {
		if err := to(r.held.take()); err != nil {
			return err
		}
	}
	return nil
}

// events is a heap of events by time and, at the same time, by arrival.
type events struct {
	list  []orderedEvent
	count int64 // that ever came
	size  int   // bytes
}

type orderedEvent struct {
	Event
	n int64
}

func (h *events) add(e Event) {
	h.count++
	h.size += len(e.Message)
	heap.Push(h, orderedEvent{e, h.count})
}

func (h *events) take() Event {
	e := heap.Pop(h).(orderedEvent).Event
	h.size -= len(e.Message)
	return e
}

func (h *events) Len() int { return len(h.list) }
func (h *events) Less(i, j int) bool {
	a, b := &h.list[i], &h.list[j]
	if !a.Time.Equal(b.Time) {
		return a.Time.Before(b.Time)
	}
	return a.n < b.n
}
func (h *events) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *events) Push(x any)    { h.list = append(h.list, x.(orderedEvent)) }
func (h *events) Pop() any {
	end := len(h.list) - 1
	x := h.list[end]
	h.list[end] = orderedEvent{}
	h.list = h.list[:end]
	return x
}
