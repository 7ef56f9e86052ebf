package worker

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/hearthd/hearth/internal/pool"
)

// TestBesideWork: for each environment at work one has a place, as far as there
// is room, and none stands elsewhere that has room in its own instance.
func TestBesideWork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at, rooms := map[*pool.Instance]int{}, map[*pool.Instance]int{}
		work, room := 0, 0
		for range rapid.IntRange(0, 5).Draw(t, "instances") {
			i := &pool.Instance{}
			at[i], rooms[i] = rapid.IntRange(0, 6).Draw(t, "at work"), rapid.IntRange(0, 6).Draw(t, "room")
			work, room = work+at[i], room+rooms[i]
		}
		places := besideWork(at, func(i *pool.Instance) int { return rooms[i] })
		sum := 0
		for i, n := range places {
			sum += n
			if n > rooms[i] || n < min(at[i], rooms[i]) {
				t.Errorf("%d stand by where %d are at work and %d have room", n, at[i], rooms[i])
			}
		}
		if sum != min(work, room) {
			t.Errorf("%d stand by, of %d at work and with room for %d", sum, work, room)
		}
	})
}
