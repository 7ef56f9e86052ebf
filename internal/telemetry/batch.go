package telemetry

import (
	"encoding/binary"
	"errors"
	"time"
)

// A batch is one message: some consecutive events of one stream.
//
//	byte    batchFormat
//	uvarint length of the stream's name, and the name
//	then for each event
//	varint  milliseconds since the event before, since 1970 for the first
//	uvarint length of the message, and the message
const batchFormat = 1

// eventOverhead is the most that an event takes besides its message.
const eventOverhead = binary.MaxVarintLen64 + binary.MaxVarintLen32

// batch is one being written; the zero value is empty.
type batch struct {
	buf  []byte
	last int64 // ms of the last event
}

// start begins a batch in buf, which is empty.
func (b *batch) start(buf []byte, stream string) {
	buf = append(buf, batchFormat)
	buf = binary.AppendUvarint(buf, uint64(len(stream)))
	*b = batch{buf: append(buf, stream...)}
}

func (b *batch) add(ms int64, message []byte) {
	b.buf = binary.AppendVarint(b.buf, ms-b.last)
	b.buf = binary.AppendUvarint(b.buf, uint64(len(message)))
	b.buf = append(b.buf, message...)
	b.last = ms
}

var errBatch = errors.New("not a batch of log events")

// eachEvent calls f for the events of an encoded batch.
func eachEvent(data []byte, f func(Event)) error {
	if len(data) == 0 || data[0] != batchFormat {
		return errBatch
	}
	name, data, ok := cut(data[1:])
	if !ok {
		return errBatch
	}
	stream, ms := string(name), int64(0)
	for len(data) > 0 {
		delta, n := binary.Varint(data)
		if n <= 0 {
			return errBatch
		}
		var message []byte
		if message, data, ok = cut(data[n:]); !ok {
			return errBatch
		}
		ms += delta
		f(Event{Time: time.UnixMilli(ms).UTC(), Stream: stream, Message: string(message)})
	}
	return nil
}

// cut takes a length and as many bytes off the front of data.
func cut(data []byte) (head, tail []byte, ok bool) {
	length, n := binary.Uvarint(data)
	if n <= 0 || length > uint64(len(data)-n) {
		return nil, nil, false
	}
	data = data[n:]
	return data[:length], data[length:], true
}
