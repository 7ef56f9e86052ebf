package worker

import (
	"math"
	"runtime"
	"testing"
	"time"
)

func TestPaceKeepsUp(t *testing.T) {
	cpus := float64(runtime.NumCPU())
	for _, c := range []struct {
		name         string
		took, cpu    time.Duration
		share        float64 // of one processor that an environment has
		number, peak int     // of invocations in a window, and at the busiest moment
		want         int
	}{
		{"nothing is known", 0, 0, 1, 0, 7, 7},
		{"long ones can't take turns", 100 * time.Millisecond, time.Millisecond, 1, 500, 20, 20},
		{"quick ones can", 300 * time.Microsecond, 100 * time.Microsecond, 1, 5000, 20, 2},
		{"as many as are at work on average", 300 * time.Microsecond, 100 * time.Microsecond, 1, 100_000, 20, 6},
		{"with the CPU they need", 300 * time.Microsecond, 100 * time.Microsecond, 0.05, 25_000, 20, 10},
		{"never more than at the busiest moment", 300 * time.Microsecond, 100 * time.Microsecond, 1, 100_000, 3, 3},
		{"none where none was", 300 * time.Microsecond, 100 * time.Microsecond, 1, 5, 0, 0},
	} {
		var p pace
		for range c.number {
			p.took(c.took)
			p.held(c.took)
			p.cost(work{cpu: c.cpu, processors: cpus / c.share})
		}
		if got := p.keepUp(c.peak, loadWindow); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
		p.turn()
		if got := p.keepUp(c.peak, 0); got != c.want {
			t.Errorf("%s, in the next window: %d, want %d", c.name, got, c.want)
		}
	}
}

// What a start under load, or another program, had them take longer is no reason
// to have more of them once that is over.
func TestPaceForgetsWhatWasInTheWay(t *testing.T) {
	var p pace
	run := func(number int, took time.Duration) {
		for range number {
			p.took(time.Millisecond)
			p.held(took)
			p.cost(work{cpu: time.Millisecond, processors: 2})
		}
	}
	run(10_000, 3*time.Millisecond)
	const peak = 9
	if n := p.keepUp(peak, loadWindow); n != 6 {
		t.Errorf("%d keep up, want 6", n)
	}
	p.turn()
	run(1000, time.Millisecond)
	if n := p.keepUp(peak, time.Second); n != 6 {
		t.Errorf("%d keep up when little more is known, want 6", n)
	}
	run(9000, time.Millisecond)
	if n := p.keepUp(peak, loadWindow); n != 3 {
		t.Errorf("%d keep up, want 3", n)
	}
	if d := p.mean(); d != time.Millisecond {
		t.Errorf("each is held for %v", d)
	}
}

func TestPaceForgets(t *testing.T) {
	var p pace
	p.took(time.Millisecond)
	p.cost(work{cpu: time.Millisecond, processors: 2})
	if n := p.enough(); n != 2*pipeline {
		t.Errorf("%d are enough", n)
	}
	p.turn()
	p.took(3 * time.Millisecond)
	if d := p.undisturbed(); d != time.Millisecond {
		t.Errorf("undisturbed it takes %v", d)
	}
	p.turn()
	if d := p.undisturbed(); d != 3*time.Millisecond {
		t.Errorf("undisturbed it takes %v, two windows later", d)
	}
	p.turn()
	p.turn()
	if n := p.enough(); n != math.MaxInt {
		t.Errorf("%d are enough, although nothing is known any more", n)
	}
}

func TestIdleness(t *testing.T) {
	start := time.Now()
	rests, never := idleness{window: time.Second, share: -1}, idleness{window: time.Second, share: 2}
	for after, want := range []bool{false, true, true} { // the first look only begins a window
		now := start.Add(time.Duration(after) * time.Second)
		if rests.exhausted(now) || never.exhausted(now) != want {
			t.Errorf("after %d windows: %t, want %t", after, never.none, want)
		}
	}
	if !never.exhausted(start.Add(2500 * time.Millisecond)) {
		t.Error("a window that lasts changes nothing")
	}
}
