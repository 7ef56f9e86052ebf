package pool

import (
	"math"
	"time"
)

const (
	// window is the length of one count of arrivals.
	window = 5 * time.Second
	// windows are remembered: demand that was there once is expected for ten
	// minutes more, ever less.
	windows = 120
	// fade is by how much an old window counts less than the next newer one;
	// half after about one minute.
	fade = 0.944
)

// Forecast estimates from the recent past how many environments of a runtime
// will be asked for in the next moments, before new ones can be booted. The
// zero value has seen nothing. It is not safe for concurrent use.
//
// The estimate is the busiest window of the recent past, faded by its age: a
// burst is answered in full when it repeats soon, and let go slowly when it
// does not. A mean would be too low for bursts, which are what the pool is for.
type Forecast struct {
	counts [windows]int
	head   int64 // number of the newest window since the epoch
}

// Arrived notes that n environments were asked for at the time now.
func (f *Forecast) Arrived(now time.Time, n int) {
	f.advance(now)
	f.counts[f.head%windows] += n
}

// Want is the number of environments to keep ready at the time now.
func (f *Forecast) Want(now time.Time) int {
	f.advance(now)
	best, weight := 0.0, 1.0
	for age := range int64(windows) {
		i := (f.head - age) % windows
		if i < 0 {
			break
		}
		best = max(best, float64(f.counts[i])*weight)
		weight *= fade
	}
	return int(math.Round(best))
}

// advance forgets the windows that are too old at the time now. A clock that
// goes back changes nothing.
func (f *Forecast) advance(now time.Time) {
	head := now.UnixNano() / int64(window)
	if head <= f.head {
		return
	}
	for n := max(f.head+1, head-windows+1); n <= head; n++ {
		f.counts[n%windows] = 0
	}
	f.head = head
}
