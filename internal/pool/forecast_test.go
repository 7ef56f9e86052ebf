package pool

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestForecast(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	type arrival struct {
		after time.Duration
		n     int
	}
	for _, c := range []struct {
		name     string
		arrivals []arrival
		at       time.Duration
		want     int
	}{
		{"nothing seen", nil, 0, 0},
		{"one arrival is expected again", []arrival{{0, 1}}, time.Second, 1},
		{"a burst is expected in full", []arrival{{0, 50}}, time.Second, 50},
		{"arrivals of one window add up", []arrival{{0, 3}, {time.Second, 4}}, 2 * time.Second, 7},
		{"half is left after a minute", []arrival{{0, 100}}, time.Minute, 50},
		{"the busiest window counts, not the last", []arrival{{0, 40}, {10 * time.Second, 5}}, 15 * time.Second, 34},
		{"forgotten after ten minutes", []arrival{{0, 1000}}, 11 * time.Minute, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var f Forecast
			for _, a := range c.arrivals {
				f.Arrived(start.Add(a.after), a.n)
			}
			if got := f.Want(start.Add(c.at)); got != c.want {
				t.Errorf("Want = %d, want %d", got, c.want)
			}
		})
	}
}

// Whatever happened: never negative, never more than the busiest five seconds
// asked for, and without arrivals it only falls.
func TestForecastProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f Forecast
		now := time.Unix(1_800_000_000, 0)
		total := 0
		for range rapid.IntRange(0, 50).Draw(t, "arrivals") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Minute)).Draw(t, "gap")))
			n := rapid.IntRange(0, 100).Draw(t, "n")
			f.Arrived(now, n)
			total += n
			if w := f.Want(now); w < n || w > total {
				t.Fatalf("Want = %d right after %d of %d arrived", w, n, total)
			}
		}
		last := f.Want(now)
		for range 150 {
			now = now.Add(window)
			w := f.Want(now)
			if w > last || w < 0 {
				t.Fatalf("Want went from %d to %d without arrivals", last, w)
			}
			last = w
		}
		if last != 0 {
			t.Fatalf("Want = %d after all was forgotten", last)
		}
	})
}
