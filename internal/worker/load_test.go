package worker

import (
	"testing"
	"time"
)

func TestBusyness(t *testing.T) {
	var b busyness
	start := time.Unix(1_800_000_000, 0)
	b.turn(start, 0)
	expect := func(after time.Duration, present, want int) {
		t.Helper()
		b.turn(start.Add(after), present)
		if got := b.expected(); got != want {
			t.Errorf("after %s: %d, want %d", after, got, want)
		}
	}
	b.note(7)
	b.note(4)
	expect(time.Second, 9, 6) // 5.5; the window did not begin now
	expect(loadWindow, 1, 6)
	b.note(4)
	b.note(4)
	expect(loadWindow, 1, 5)   // of both windows
	expect(2*loadWindow, 1, 4) // of the last
	expect(3*loadWindow, 2, 2) // nothing came any more
	for range 1000 {
		b.note(1)
	}
	b.note(500) // a moment at which everything stood still
	expect(3*loadWindow, 1, 2)
}
