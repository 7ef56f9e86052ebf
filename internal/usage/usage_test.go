package usage

import (
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/state"
)

func openState(tb testing.TB, dir string) *state.Store {
	tb.Helper()
	st, err := state.Open(tb.Context(), state.Options{Dir: filepath.Join(dir, "state"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	return st
}

func open(tb testing.TB, st *state.Store, dir string) *Usage {
	tb.Helper()
	u, err := Open(tb.Context(), st, Options{Dir: filepath.Join(dir, "usage")})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := u.Close(); err != nil {
			tb.Error(err)
		}
	})
	return u
}

// revision is one of a function of the account 000000000001.
func revision(name, version string) *function.Revision {
	return &function.Revision{Key: function.Key{Account: "000000000001", Name: name}, Version: version}
}

func read(tb testing.TB, u *Usage, q Query) []Row {
	tb.Helper()
	rows, err := u.Read(tb.Context(), q)
	if err != nil {
		tb.Fatal(err)
	}
	return rows
}

func TestUsageIsAddedUp(t *testing.T) {
	dir := t.TempDir()
	u := open(t, openState(t, dir), dir)
	at := time.Date(2026, 3, 4, 22, 59, 0, 0, time.UTC)
	u.now = func() time.Time { return at }
	latest, second := revision("hello", function.Latest), revision("hello", "2")
	u.Record(latest, Execution{Answered: true, Asked: 1024, Allocated: 256, Billed: 100 * time.Millisecond})
	u.RecordUse(latest, 128<<20, 100*time.Millisecond)
	u.Record(second, Execution{Answered: true, Failed: true, Asked: 1024, Allocated: 1024, Billed: 10 * time.Millisecond})
	at = at.Add(2 * time.Hour) // the next day
	u.Record(second, Execution{Asked: 512, Allocated: 512, Billed: 2 * time.Millisecond})
	u.Record(second, Execution{Answered: true, Asked: 512, Allocated: 1024, Billed: 4 * time.Millisecond})
	u.Record(revision("other", function.Latest), Execution{Answered: true, Asked: 128, Allocated: 128, Billed: time.Millisecond})

	evening, night := time.Date(2026, 3, 4, 22, 0, 0, 0, time.UTC), time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)
	hello := Query{Account: "000000000001", Function: "hello"}
	hello.By = By{Version: true, Hour: true}
	for name, c := range map[string]struct {
		q    Query
		want []Row
	}{
		"by version and hour": {hello, []Row{
			{Version: function.Latest, Start: evening, Sums: Sums{Invocations: 1, BilledMS: 100, Asked: 102400, Allocated: 25600, Used: 128 * 1024 * 100}},
			{Version: "2", Start: evening, Sums: Sums{Invocations: 1, Errors: 1, BilledMS: 10, Asked: 10240, Allocated: 10240}},
			{Version: "2", Start: night, Sums: Sums{Invocations: 1, BilledMS: 6, Asked: 3072, Allocated: 5120}},
		}},
		"since an hour": {Query{Function: "hello", Since: night.Add(59 * time.Minute), By: By{Function: true}}, []Row{
			{Function: "hello", Sums: Sums{Invocations: 1, BilledMS: 6, Asked: 3072, Allocated: 5120}},
		}},
		"until an hour": {Query{Until: night, By: By{Day: true, Account: true}}, []Row{
			{Account: "000000000001", Start: evening.Truncate(24 * time.Hour), Sums: Sums{Invocations: 2, Errors: 1, BilledMS: 110, Asked: 112640, Allocated: 35840, Used: 128 * 1024 * 100}},
		}},
		"all in one": {Query{}, []Row{
			{Sums: Sums{Invocations: 4, Errors: 1, BilledMS: 117, Asked: 115840, Allocated: 41088, Used: 128 * 1024 * 100}},
		}},
		"of another account": {Query{Account: "000000000002"}, []Row{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, read(t, u, c.q)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	all := read(t, u, hello)[0].Sums
	if all.AskedGBms() != 100 || all.AllocatedGBms() != 25 || all.UsedGBms() != 12.5 || all.WastedGBms() != 12.5 || all.SavedGBms() != 75 {
		t.Errorf("in GB-ms: %v %v %v %v %v", all.AskedGBms(), all.AllocatedGBms(), all.UsedGBms(), all.WastedGBms(), all.SavedGBms())
	}
}

// A process that dies without a word leaves the journal: a second one on the
// same file finds all that was recorded.
func TestWhatIsRecordedOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	st := openState(t, dir)
	rev := revision("hello", function.Latest)
	total := int64(0)
	for round := range 3 {
		dead := open(t, st, dir)
		dead.cancel() // it folds no more
		<-dead.done
		for range 100 {
			dead.Record(rev, Execution{Answered: true, Asked: 128, Allocated: 128, Billed: time.Millisecond})
			total++
		}
		if round == 1 { // it died after it had added and before the journal knew
			if _, err := dead.add(t.Context(), dead.journal.complete()); err != nil {
				t.Fatal(err)
			}
		}
		next := open(t, st, dir)
		if got := read(t, next, Query{})[0].Invocations; got != total {
			t.Fatalf("round %d: %d invocations are counted of %d", round, got, total)
		}
		if err := next.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// More than the ring holds, from many at once, while it is folded: nothing is
// lost, and nothing counts twice.
func TestTheRingGoesRound(t *testing.T) {
	dir := t.TempDir()
	u := open(t, openState(t, dir), dir)
	const each, writers = slots / 2, 5
	var wg sync.WaitGroup
	for w := range writers {
		rev := revision("hello", string(rune('1'+w)))
		wg.Go(func() {
			for range each {
				u.Record(rev, Execution{Answered: true, Asked: 3, Allocated: 2, Billed: time.Millisecond})
			}
		})
	}
	wg.Wait()
	for _, row := range read(t, u, Query{By: By{Version: true}}) {
		if want := (Sums{Invocations: each, BilledMS: each, Asked: 3 * each, Allocated: 2 * each}); row.Sums != want {
			t.Errorf("version %s: %+v, want %+v", row.Version, row.Sums, want)
		}
	}
	if lost := u.lost.Load(); lost != 0 {
		t.Errorf("%d records are lost", lost)
	}
}

// Nodes that share a state add to the same sums.
func TestNodesAddUp(t *testing.T) {
	dir := t.TempDir()
	st := openState(t, dir)
	var nodes []*Usage
	for _, name := range []string{"a", "b", "c"} {
		nodes = append(nodes, open(t, st, filepath.Join(dir, name)))
	}
	rev := revision("hello", "7")
	var wg sync.WaitGroup
	for _, u := range nodes {
		wg.Go(func() {
			for range 20 {
				u.Record(rev, Execution{Answered: true, Asked: 1, Allocated: 1, Billed: time.Millisecond})
				if err := u.Fold(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if rows := read(t, nodes[0], Query{}); len(rows) != 1 || rows[0].Invocations != 60 {
		t.Errorf("counted %+v", rows)
	}
}

// On the way of every answer: no lock, no allocation. The fold, which is in the
// background, is a benchmark of its own, for each record.
func BenchmarkRecord(b *testing.B) {
	dir := b.TempDir()
	u := open(b, openState(b, dir), dir)
	rev := revision("a-function-with-a-name", function.Latest)
	e := Execution{Answered: true, Asked: 512, Allocated: 256, Billed: 3 * time.Millisecond}
	fold := func() {
		if err := u.Fold(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	const batch = foldAt / 2
	b.Run("record", func(b *testing.B) {
		b.ReportAllocs()
		for n := 1; b.Loop(); n++ {
			if u.Record(rev, e); n%batch == 0 {
				b.StopTimer()
				fold()
				b.StartTimer()
			}
		}
	})
	b.Run("fold", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			for range batch {
				u.Record(rev, e)
			}
			b.StartTimer()
			fold()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/record")
	})
}

func BenchmarkFold(b *testing.B) {
	u := open(b, openState(b, b.TempDir()), b.TempDir())
	rev := revision("hello", function.Latest)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for range 8000 {
			u.Record(rev, Execution{Answered: true, Asked: 128, Allocated: 128, Billed: time.Millisecond})
		}
		b.StartTimer()
		if err := u.Fold(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
