package sizing

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

// fill gives a version a day of executions.
func fill(v *Evidence, r *rand.Rand, n int) {
	level := 40 + 400*r.Float64()
	for i := range n {
		v.Add(&Execution{
			At: monday.Add(time.Duration(i) * 24 * time.Hour / time.Duration(n)), Amount: Amount{512, 512}, Nth: i%50 + 1,
			Peak: int64(level * (1 + 0.1*r.Float64()) * (1 << 20)), CPU: 10 * time.Millisecond, Duration: time.Duration(20+10*r.Float64()) * time.Millisecond,
		})
	}
}

func BenchmarkDecide(b *testing.B) {
	v, p := NewEvidence(), PolicyOf(applied, 512)
	fill(v, rand.New(rand.NewPCG(1, 1)), 2000)
	b.ReportAllocs()
	for b.Loop() {
		Decide(p, Standing{}, v, v.last)
	}
}

func BenchmarkEvidenceAdd(b *testing.B) {
	v := NewEvidence()
	fill(v, rand.New(rand.NewPCG(1, 1)), 2000)
	e := Execution{Amount: Amount{512, 512}, Nth: 3, Peak: 90 << 20, CPU: 10 * time.Millisecond, Duration: 20 * time.Millisecond}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e.At = monday.Add(24*time.Hour + time.Duration(i)*time.Millisecond)
		v.Add(&e)
	}
}

// node is sizing without a store: what the warm path touches.
func node(n int) (*Sizing, []*function.View) {
	s := &Sizing{table: newTable(), functions: map[function.Key]*family{}, due: newQueue()}
	views := make([]*function.View, n)
	for i := range views {
		key := function.Key{Account: "123456789012", Name: fmt.Sprintf("orders-%07d", i)}
		rev := &function.Revision{ID: fmt.Sprintf("%016x", i), Key: key, FunctionID: fmt.Sprintf("%020x", i), Version: function.Latest}
		rev.Config.Memory = 512
		views[i] = &function.View{Key: key, FunctionID: rev.FunctionID, Wanted: rev, Serving: rev, Tags: applied}
	}
	return s, views
}

// One function, whose data is in the processor's caches, and many, whose is not.
var functionsCalled = map[string]int{"one function": 1, "10,000 functions": 10_000}

func BenchmarkAmount(b *testing.B) {
	for name, n := range functionsCalled {
		b.Run(name, func(b *testing.B) { benchmarkAmount(b, n) })
	}
}

func benchmarkAmount(b *testing.B, n int) {
	s, views := node(n)
	for _, v := range views {
		s.Observe(v, v.Wanted, Execution{At: monday, Peak: 90 << 20})
		s.table.get(v.Wanted.ID).effective.Store(Amount{256, 256}.pack())
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		v := views[i%len(views)]
		s.Amount(v, v.Wanted)
	}
}

func BenchmarkObserve(b *testing.B) {
	for name, n := range functionsCalled {
		b.Run(name, func(b *testing.B) { benchmarkObserve(b, n) })
	}
}

func benchmarkObserve(b *testing.B, n int) {
	s, views := node(n)
	e := Execution{Amount: Amount{512, 512}, Nth: 3, Peak: 90 << 20, CPU: 10 * time.Millisecond, Duration: 20 * time.Millisecond}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e.At = monday.Add(time.Duration(i) * time.Millisecond)
		v := views[i%len(views)]
		s.Observe(v, v.Wanted, e)
	}
}

// How many bytes the real structure takes for each function, every one of them
// called: 20,000 functions, or HEARTH_FUNCTIONS (a million takes 2 GB):
//
//	HEARTH_FUNCTIONS=1000000 go test ./internal/sizing -run BytesPerFunction -v
func TestBytesPerFunction(t *testing.T) {
	n := 20_000
	if s := os.Getenv("HEARTH_FUNCTIONS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	s, views := node(n)
	r := rand.New(rand.NewPCG(1, 1))
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for _, v := range views {
		level := 40 + 400*r.Float64()
		for i := range 20 {
			s.Observe(v, v.Wanted, Execution{
				At: monday.Add(time.Duration(i) * time.Hour), Amount: Amount{512, 512}, Nth: i + 1, Peak: int64(level*(1+0.2*r.Float64())) << 20,
				CPU: 10 * time.Millisecond, Duration: time.Duration(20+20*r.Float64()) * time.Millisecond,
			})
		}
	}
	s.due.take()
	each := float64(heap()-before) / float64(n)
	t.Logf("%.0f bytes for each of %d functions", each, n)
	if each > evidenceBytes {
		t.Errorf("%.0f bytes for each function, more than %d", each, evidenceBytes)
	}
	runtime.KeepAlive(s)
	runtime.KeepAlive(views)
}
