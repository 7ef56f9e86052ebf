package telemetry

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestBatchReturnsWhatWasAdded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "stream")
		var want, got []Event
		var b batch
		b.start(nil, name)
		for range rapid.IntRange(0, 20).Draw(t, "events") {
			ms := rapid.Int64Range(-1<<40, 1<<50).Draw(t, "ms")
			message := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "message")
			b.add(ms, message)
			want = append(want, Event{time.UnixMilli(ms).UTC(), name, string(message)})
		}
		if err := eachEvent(compress(nil, b.buf), func(e Event) { got = append(got, e) }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzEachEvent(f *testing.F) {
	var b batch
	b.start(nil, "2026/11/23/[$LATEST]00ff")
	b.add(1_700_000_000_000, []byte("START"))
	b.add(1_700_000_000_001, nil)
	f.Add(compress(nil, b.buf))
	f.Add([]byte{batchFormat, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add(compress(nil, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}))
	f.Add(compress(nil, []byte{0, 0, 0xff, 1}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var again batch
		before := bytes.Clone(data)
		total := 0
		err := eachEvent(data, func(e Event) {
			if again.buf == nil {
				again.start(nil, e.Stream)
			}
			again.add(e.Time.UnixMilli(), []byte(e.Message))
			total += len(e.Message)
		})
		if !bytes.Equal(before, data) {
			t.Fatal("the batch was changed")
		}
		if total > maxDecoded {
			t.Fatalf("%d bytes of messages", total)
		}
		if err != nil || again.buf == nil {
			return
		}
		if err := eachEvent(compress(nil, again.buf), func(Event) {}); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}
