package usage

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hearthd/hearth/internal/function"
)

// Whatever is recorded, folded, half folded, and left by a process that dies at
// any point of that: the sums are what was recorded, once.
func TestSumsAreWhatWasRecorded(t *testing.T) {
	dir := t.TempDir()
	st := openState(t, dir)
	start := func() *Usage {
		u, err := Open(t.Context(), st, Options{Dir: filepath.Join(dir, "usage")})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	u := start()
	defer func() {
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	}()
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		name := fmt.Sprintf("f-%d", round) // each time another function
		at := time.Date(2026, 1, 1, 22, 0, 0, 0, time.UTC)
		want := map[string]Sums{} // by version and hour
		die := func() {
			u.cancel()
			<-u.done
			u = start()
		}
		check := func(t *rapid.T) {
			rows, err := u.Read(t.Context(), Query{Function: name, By: By{Version: true, Hour: true}})
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != len(want) {
				t.Fatalf("%d rows, want %d", len(rows), len(want))
			}
			for _, row := range rows {
				if key := row.Version + " " + strconv.FormatInt(row.Start.Unix(), 10); row.Sums != want[key] {
					t.Fatalf("%s: %+v, want %+v", key, row.Sums, want[key])
				}
			}
		}
		seldom := func(t *rapid.T) bool { return rapid.IntRange(0, 4).Draw(t, "dies") == 0 }
		t.Repeat(map[string]func(*rapid.T){
			"record": func(t *rapid.T) {
				u.now = func() time.Time { return at }
				version := rapid.SampledFrom([]string{function.Latest, "1", "2"}).Draw(t, "version")
				e := Execution{
					Answered: rapid.Bool().Draw(t, "answered"), Failed: rapid.Bool().Draw(t, "failed"),
					Asked: function.MemoryMB(rapid.IntRange(128, 10240).Draw(t, "asked")), Allocated: function.MemoryMB(rapid.IntRange(128, 10240).Draw(t, "allocated")),
					Billed: time.Duration(rapid.IntRange(1, 900_000).Draw(t, "billed")) * time.Millisecond,
				}
				peak := rapid.Int64Range(0, 10<<30).Draw(t, "peak")
				u.Record(revision(name, version), e)
				u.RecordUse(revision(name, version), peak, e.Billed)
				key := version + " " + strconv.FormatInt(at.Unix(), 10)
				sums := want[key]
				sums.Add(e.sums())
				sums.Add(Sums{Used: (peak + 1023) / 1024 * e.Billed.Milliseconds()})
				want[key] = sums
			},
			"an hour passes": func(*rapid.T) { at = at.Add(time.Hour) },
			"fold": func(t *rapid.T) {
				if err := u.Fold(t.Context()); err != nil {
					t.Fatal(err)
				}
			},
			"die": func(t *rapid.T) {
				if seldom(t) {
					die()
				}
			},
			"die while folding": func(t *rapid.T) {
				list := slices.Collect(u.journal.complete())
				n := rapid.IntRange(0, len(list)).Draw(t, "folded")
				if _, err := u.add(t.Context(), slices.Values(list[:n])); err != nil {
					t.Fatal(err)
				}
				if seldom(t) {
					die()
				}
			},
			"read": check,
		})
		check(t)
	})
}
