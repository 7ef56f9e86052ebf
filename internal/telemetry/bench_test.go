package telemetry

import (
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

// BenchmarkInvocation is what logging adds to a warm invocation: START, one
// line of the function's, END and REPORT.
func BenchmarkInvocation(b *testing.B) {
	l := openLogs(b, b.TempDir())
	b.RunParallel(func(pb *testing.PB) {
		s := l.Stream(hello, function.Latest, envID)
		defer s.Close()
		line := []byte("a line of the function's, as long as lines are\n")
		r := Report{RequestID: id, Duration: 1500 * time.Microsecond, MemoryMB: 128, MaxMemoryBytes: 35 << 20}
		for pb.Next() {
			s.BeginTail()
			s.Start(id, function.Latest)
			s.Write(line)
			s.End(id)
			s.Report(r)
		}
	})
	b.ReportAllocs()
}

// BenchmarkMetrics is what metrics add to an invocation.
func BenchmarkMetrics(b *testing.B) {
	m := NewMetrics()
	rev := &function.Revision{Key: hello}
	r := Report{Duration: 1500 * time.Microsecond}
	b.ReportAllocs()
	for b.Loop() {
		m.Function(rev).Invoked(&r, false)
	}
}
