package function

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/state"
)

// many is how many functions the measurements of scale use; HEARTH_FUNCTIONS
// says otherwise.
func many(tb testing.TB) int {
	if s := os.Getenv("HEARTH_FUNCTIONS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			tb.Fatal(err)
		}
		return n
	}
	if testing.Short() {
		return 1000
	}
	return 5000
}

// seed writes the records of n functions as Create would, without its round
// trips, and returns the state they are in.
func seed(tb testing.TB, st *state.Store, n int) {
	tb.Helper()
	bucket := must(st.Bucket(tb.Context(), bucketName))
	var work = make(chan int)
	errs := make(chan error, 16)
	for range cap(errs) {
		go func() {
			var err error
			for i := range work {
				if err == nil {
					_, err = bucket.Create(tb.Context(), recordKey(key(name(i))), seedRecord(i))
				}
			}
			errs <- err
		}()
	}
	for i := range n {
		work <- i
	}
	close(work)
	for range cap(errs) {
		if err := <-errs; err != nil {
			tb.Fatal(err)
		}
	}
}

func name(i int) string { return fmt.Sprintf("orders-service-%06d", i) }

func seedRecord(i int) []byte {
	cfg := config()
	cfg.Description = fmt.Sprintf("Function number %d of the scale test", i)
	cfg.Environment = map[string]string{"TABLE": fmt.Sprint("orders-", i), "STAGE": "production"}
	cfg.setDefaults()
	d := &draft{record: &record{
		ID:     newID(),
		Wanted: content{CodeSHA256: fmt.Sprintf("%043d=", i), CodeSize: 1000, Config: cfg},
		Status: settled(),
		Next:   1,
		Tags:   map[string]string{"team": "orders"},
	}}
	d.touch(time.Now())
	return must(json.Marshal(d.record))
}

// BenchmarkOpen prints how long a catalog takes to load, and how much memory a
// function takes, with HEARTH_FUNCTIONS functions:
//
//	HEARTH_FUNCTIONS=100000 go test ./internal/function -run - -bench Open -benchtime 3x
func BenchmarkOpen(b *testing.B) {
	st := openState(b, b.TempDir())
	n := many(b)
	seed(b, st, n)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	b.ResetTimer()
	for b.Loop() {
		b.StopTimer()
		before := heap()
		b.StartTimer()
		c, err := Open(b.Context(), st, Options{Region: "eu-central-1"})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if u := c.Usage(acct); u.FunctionCount != n {
			b.Fatalf("loaded %d functions", u.FunctionCount)
		}
		b.ReportMetric(float64(heap()-before)/float64(n), "bytes/function")
		runtime.KeepAlive(c)
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(n), "functions")
}

func BenchmarkLookupAndResolve(b *testing.B) {
	st := openState(b, b.TempDir())
	n := many(b)
	seed(b, st, n)
	c := openCatalog(b, st, Options{})
	keys := make([]Key, 1024)
	for i := range keys {
		keys[i] = key(name(rand.IntN(n)))
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			v, ok := c.Lookup(keys[i%len(keys)])
			if !ok {
				b.Error("not found")
				return
			}
			if _, _, err := v.Resolve("", rand.Float64); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkList(b *testing.B) {
	st := openState(b, b.TempDir())
	n := many(b)
	seed(b, st, n)
	c := openCatalog(b, st, Options{})
	for b.Loop() {
		if vs, _ := c.List(acct, name(n/2), 50); len(vs) != 50 {
			b.Fatal(len(vs))
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	c := newCatalog(b)
	i := 0
	for b.Loop() {
		must(c.Create(b.Context(), key(name(i)), CreateInput{Config: config(), Package: pkg("a")}))
		i++
	}
}

func BenchmarkTag(b *testing.B) {
	c := newCatalog(b)
	v := active(b, c, "f")
	i := 0
	for b.Loop() {
		must(c.Tag(b.Context(), v.Key, map[string]string{"a": strconv.Itoa(i)}))
		i++
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	c := newCatalog(t)
	v := active(t, c, "f")
	if n := testing.AllocsPerRun(100, func() {
		v, ok := c.Lookup(v.Key)
		if !ok {
			t.Fatal("not found")
		}
		if _, _, err := v.Resolve(Latest, half); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
