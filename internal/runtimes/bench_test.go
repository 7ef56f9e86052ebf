package runtimes

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var trivial = map[Family]project{
	Python: python("def handler(event, context): return event"),
	NodeJS: nodejs("exports.handler = async (event) => event"),
}

func eachInterpreter(b *testing.B, bench func(b *testing.B, rt Runtime)) {
	for _, rt := range hostSet(b).List() {
		if rt.Family != Provided {
			b.Run(rt.Name, func(b *testing.B) { bench(b, rt) })
		}
	}
}

// BenchmarkStart is the time from the start message to the first request for
// an invocation, which is what a cold start adds to an attached environment, and
// the part of it that the main thread computes. It reports what a pre-booted
// process holds for itself alone: pages of files are shared by all.
func BenchmarkStart(b *testing.B) {
	eachInterpreter(b, func(b *testing.B, rt Runtime) {
		var took, cpu time.Duration
		var unshared int64
		for b.Loop() {
			e := boot(b, rt)
			message := e.message(rt, trivial[rt.Family])
			unshared = e.settle()
			before := e.computed()
			began := time.Now()
			e.send(message)
			select {
			case <-e.api.Ready():
			case <-time.After(patience):
				b.Fatal(e.logs())
			}
			took += time.Since(began)
			cpu += e.computed() - before
			_ = e.process.Process.Kill()
			<-e.waited
		}
		b.ReportMetric(float64(took.Microseconds())/float64(b.N)/1000, "ms/start")
		b.ReportMetric(float64(cpu.Microseconds())/float64(b.N)/1000, "cpu-ms/start")
		b.ReportMetric(float64(unshared)/1024, "unshared-KiB")
		b.ReportMetric(0, "ns/op")
	})
}

// BenchmarkEcho is one warm invocation of 1 KB, through the Runtime API, and
// the part of it that the runtime's main thread computes.
func BenchmarkEcho(b *testing.B) {
	payload := `"` + strings.Repeat("x", 1022) + `"`
	eachInterpreter(b, func(b *testing.B, rt Runtime) {
		e := start(b, rt, trivial[rt.Family])
		for range 1000 { // until the interpreter has specialised and compiled
			e.invoke(payload)
		}
		before := e.computed()
		for b.Loop() {
			e.invoke(payload)
		}
		b.ReportMetric(float64((e.computed()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
	})
}

// settle waits until the process reads the control descriptor and returns the
// bytes of memory that it shares with nobody.
func (e *environment) settle() int64 {
	e.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		syscall, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", e.process.Process.Pid))
		if strings.HasPrefix(string(syscall), "0 0x3 ") {
			return e.unshared()
		}
	}
	e.t.Fatal("the process doesn't wait for its start message")
	panic("unreachable")
}

func (e *environment) unshared() int64 {
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", e.process.Process.Pid))
	if err != nil {
		e.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(rollup), "Private_Dirty:")
	var kib int64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		e.t.Fatal(err)
	}
	return kib << 10
}

// computed is the processor time that the main thread has had.
func (e *environment) computed() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", e.process.Process.Pid))
	if err != nil {
		e.t.Fatal(err)
	}
	var ran time.Duration
	if _, err := fmt.Sscan(string(stat), &ran); err != nil {
		e.t.Fatal(err)
	}
	return ran
}
