package telemetry

import (
	"bytes"
	"sync"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

const (
	// MaxEvent is the longest message of one event, as in CloudWatch Logs,
	// which counts 26 bytes besides it. Longer lines become several events.
	MaxEvent = 256<<10 - 26
	// maxTail is how much of a log LogType=Tail returns.
	maxTail = 4 << 10
	// fullBatch is the size from which a batch takes no more events. With the
	// largest event it stays well below maxDecoded and the 1 MB that a NATS
	// server takes by default.
	fullBatch = 16 << 10
	// urgentBatches is the number of full batches that are not left waiting
	// for their time.
	urgentBatches = 16
	// Whoever writes what is dropped sleeps a millisecond for every slowdown
	// bytes: 32 MB a second cost little to read, and a pipe full of output no
	// noticeable time.
	slowdown = 32 << 10
	// noticeEvery is how often a stream says that lines were dropped, at most.
	noticeEvery = time.Second
)

// LogStream is the log of one environment. Its methods are safe for concurrent
// use; none of them waits for anything but, in Write, a function that prints
// too much.
type LogStream struct {
	logs        *Logs
	subject     string
	group, name string

	mu          sync.Mutex
	pending     batch    // the one being written
	full        [][]byte // those before it
	queued      bool     // in logs.dirty
	partial     []byte   // a line that has no end yet
	partialLost bool     // a part of that line was dropped
	tail        []byte   // at most 2*maxTail
	allowance   allowance
	dropped     int64 // lines since the last notice
	noticed     time.Time
	debt        int64 // bytes dropped since Write slept
}

// Stream opens the stream of one environment, by its name in the sandbox (32
// hexadecimal digits). Close it when the environment has ended.
func (l *Logs) Stream(fn function.Key, version, envID string) *LogStream {
	return &LogStream{
		logs:    l,
		subject: subject(fn),
		group:   "/aws/lambda/" + fn.Name,
		name:    time.Now().UTC().Format("2006/01/02/") + "[" + version + "]" + envID,
	}
}

// Group is the name of the function's log group.
func (s *LogStream) Group() string { return s.group }

// Name is the stream's name, unique in its group.
func (s *LogStream) Name() string { return s.name }

// Write takes output of the environment's processes as it comes: lines may be
// spread over any number of calls. It does not keep p.
func (s *LogStream) Write(p []byte) {
	if s.write(p) {
		time.Sleep(time.Millisecond)
	}
}

// write returns whether the writer should be slowed down.
func (s *LogStream) write(p []byte) (slow bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end >= 0 && len(s.partial) == 0 && !s.partialLost && end <= MaxEvent {
			s.line(p[:end], now) // the usual case, without a copy
			p = p[end+1:]
			continue
		}
		room := MaxEvent - len(s.partial)
		piece := p
		if end >= 0 {
			piece = p[:end]
		}
		if len(piece) > room {
			s.hold(piece[:room])
			s.endPartial(now)
			p = p[room:]
			continue
		}
		s.hold(piece)
		p = p[len(piece):]
		if end >= 0 {
			s.endPartial(now)
			p = p[1:]
		}
	}
	if s.debt >= slowdown {
		s.debt = 0
		return true
	}
	return false
}

// hold keeps a piece of a line until the rest is there.
func (s *LogStream) hold(piece []byte) {
	if len(piece) == 0 || s.partialLost {
		return
	}
	grown, ok := s.logs.grow(s.partial, len(piece))
	if !ok {
		s.partialLost = true
		return
	}
	s.partial = append(grown, piece...)
}

// endPartial makes an event of what is held, and gives its memory back.
func (s *LogStream) endPartial(now time.Time) {
	if s.partialLost {
		s.drop(len(s.partial))
	} else {
		s.line(s.partial, now)
	}
	s.partialLost = false
	s.logs.release(s.partial)
	s.partial = nil
}

// line logs one line of the function's, if its allowance has room for it.
func (s *LogStream) line(line []byte, now time.Time) {
	s.addTail(line)
	if !s.allowance.take(len(line), now) {
		s.drop(len(line))
		return
	}
	s.notice(now)
	if !s.event(line, now) {
		s.drop(len(line))
	}
}

func (s *LogStream) drop(n int) {
	s.dropped++
	s.debt += int64(n) + lineCost
}

// notice says how many lines were dropped, if any and if it has not just said so.
func (s *LogStream) notice(now time.Time) {
	if s.dropped > 0 && now.Sub(s.noticed) >= noticeEvery && s.event(appendDropped(nil, s.dropped), now) {
		s.dropped, s.noticed = 0, now
	}
}

// own begins a line of Hearth's own: whatever the function left unfinished
// stands before it.
func (s *LogStream) own(now time.Time) {
	if len(s.partial) > 0 || s.partialLost {
		s.endPartial(now)
	}
}

// event appends to what is pending, if memory allows.
func (s *LogStream) event(message []byte, now time.Time) bool {
	need := len(message) + eventOverhead
	if len(s.pending.buf) > 0 && len(s.pending.buf)+need > fullBatch {
		s.full = append(s.full, s.pending.buf)
		s.pending = batch{}
		if len(s.full) >= urgentBatches {
			s.logs.hurry()
		}
	}
	if s.pending.buf == nil {
		buf, ok := s.logs.grow(s.logs.buffer(), eventOverhead+len(s.name)+need)
		if !ok {
			s.logs.recycle(buf)
			return false
		}
		s.pending.start(buf, s.name)
	} else {
		buf, ok := s.logs.grow(s.pending.buf, need)
		if !ok {
			return false
		}
		s.pending.buf = buf
	}
	s.pending.add(now.UnixMilli(), message)
	if !s.queued {
		s.queued = true
		s.logs.enqueue(s)
	}
	return true
}

// addTail appends a line to the tail.
func (s *LogStream) addTail(line []byte) {
	if len(line) >= maxTail {
		s.tail = append(s.tail[:0], line[len(line)-maxTail+1:]...)
	} else {
		s.trimTail(len(line) + 1)
		s.tail = append(s.tail, line...)
	}
	s.tail = append(s.tail, '\n')
}

// trimTail forgets what is too old when the tail would grow beyond its bound.
func (s *LogStream) trimTail(more int) {
	if old := len(s.tail) - maxTail; old > 0 && len(s.tail)+more > 2*maxTail {
		s.tail = s.tail[:copy(s.tail, s.tail[old:])]
	}
}

// BeginTail forgets the tail: an invocation begins.
func (s *LogStream) BeginTail() {
	s.mu.Lock()
	s.tail = s.tail[:0]
	s.mu.Unlock()
}

// Tail returns the last 4 KB written since BeginTail, of the function's lines
// all, dropped or not.
func (s *LogStream) Tail() []byte {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own(now)
	return bytes.Clone(s.tail[max(0, len(s.tail)-maxTail):])
}

// Start writes the START line.
func (s *LogStream) Start(requestID, version string) {
	s.format(func(b []byte) []byte {
		b = append(append(b, "START RequestId: "...), requestID...)
		return append(append(b, " Version: "...), version...)
	})
}

// End writes the END line.
func (s *LogStream) End(requestID string) {
	s.format(func(b []byte) []byte {
		return append(append(b, "END RequestId: "...), requestID...)
	})
}

// Report writes the REPORT line.
func (s *LogStream) Report(r Report) {
	s.format(r.append)
}

// Note writes a text of the platform's about an invocation, such as that it
// timed out: one event, which may have several lines.
func (s *LogStream) Note(text string) {
	s.format(func(b []byte) []byte { return append(b, text[:min(len(text), maxTail-1)]...) })
}

// format writes one of Hearth's own lines, which text appends; it is made in
// the tail, which needs it anyway.
func (s *LogStream) format(text func([]byte) []byte) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own(now)
	s.notice(now)
	s.trimTail(maxTail)
	begin := len(s.tail)
	s.tail = text(s.tail)
	if !s.event(s.tail[begin:], now) {
		s.dropped++
	}
	s.tail = append(s.tail, '\n')
}

// Close ends the stream. What is pending is published by [Logs].
func (s *LogStream) Close() {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own(now)
	s.noticed = time.Time{}
	s.notice(now)
	s.tail = nil
}

// take hands what is pending to the flusher.
func (s *LogStream) take() (full [][]byte, last []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	full, last = s.full, s.pending.buf
	s.full, s.pending = nil, batch{}
	s.queued = false
	return full, last
}
