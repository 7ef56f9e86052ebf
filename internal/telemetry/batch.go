package telemetry

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/klauspost/compress/s2"
)

// A batch is some consecutive events of one stream. It is published as one
// message: the byte batchFormat, and the batch compressed by S2, which costs
// less than to store it as it is.
//
//	uvarint length of the stream's name, and the name
//	then for each event
//	varint  milliseconds since the event before, since 1970 for the first
//	uvarint length of the message, and the message
const batchFormat = 1

// maxDecoded is more than any batch has.
const maxDecoded = 1 << 20

// eventOverhead is the most that an event takes besides its message.
const eventOverhead = binary.MaxVarintLen64 + binary.MaxVarintLen32

// batch is one being written; the zero value is empty.
type batch struct {
	buf  []byte
	last int64 // ms of the last event
}

// start begins a batch in buf, which is empty.
func (b *batch) start(buf []byte, stream string) {
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

// compress makes a message of a batch, in buf if it is large enough.
func compress(buf, batch []byte) []byte {
	if most := 1 + s2.MaxEncodedLen(len(batch)); cap(buf) < most {
		buf = make([]byte, most)
	}
	buf = buf[:cap(buf)]
	buf[0] = batchFormat
	return buf[:1+len(s2.Encode(buf[1:], batch))]
}

// eachEvent calls f for the events of a message.
func eachEvent(message []byte, f func(Event)) error {
	if len(message) == 0 || message[0] != batchFormat {
		return errBatch
	}
	if n, err := s2.DecodedLen(message[1:]); err != nil || n > maxDecoded {
		return errBatch
	}
	data, err := s2.Decode(nil, message[1:])
	if err != nil {
		return errBatch
	}
	name, data, ok := cut(data)
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
