package worker

import (
	"testing"
	"time"
)

func TestBusyness(t *testing.T) {
	var b busyness
	start := time.Unix(1_800_000_000, 0)
	b.turn(start, 0)
	expect := func(after time.Duration, want int) {
		t.Helper()
		b.turn(start.Add(after), 1) // one is always busy
		if got := b.peak(); got != want {
			t.Errorf("after %s: %d, want %d", after, got, want)
		}
	}
	b.note(7)
	b.note(3)
	expect(time.Second, 7)
	expect(loadWindow, 7)
	b.note(4)
	expect(2*loadWindow, 4)
	expect(3*loadWindow, 1)
}
