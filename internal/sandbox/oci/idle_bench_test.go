package oci

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/hearthd/hearth/internal/sandbox"
)

// BenchmarkIdleMemory is what an environment costs that waits for its start
// message, with no runtime in it: by the kernel's account of the whole machine
// (so let it be quiet), and of it the process and this node's own heap.
func BenchmarkIdleMemory(b *testing.B) {
	for name, egress := range map[string]bool{"loopback": false, "egress": true} {
		b.Run(name, func(b *testing.B) {
			d := newDriver(b, func(o *Options) { o.Egress = egress })
			i, err := d.CreateInstance(b.Context(), "i", sandbox.Capacity{MemoryMB: 1 << 20, CPUMilli: 1000, Pids: 100000})
			must(b, err)
			bootShell(b, i, "first") // brings what all share
			const n = 200
			for b.Loop() {
				before, heap := meminfo(b), heapInUse()
				environments := make([]sandbox.Environment, n)
				for k := range environments {
					environments[k] = bootShell(b, i, name+"-"+nextName())
				}
				b.StopTimer()
				after := meminfo(b)
				b.ReportMetric(float64(before["MemAvailable"]-after["MemAvailable"])/n, "kB/env")
				for _, f := range []string{"Slab", "Percpu", "KernelStack", "PageTables", "AnonPages", "Shmem"} {
					b.ReportMetric(float64(after[f]-before[f])/n, f+"-kB/env")
				}
				b.ReportMetric(float64(privateKB(b, environments[0])), "process-kB/env")
				b.ReportMetric(float64(heapInUse()-heap)/1024/n, "heap-kB/env")
				for _, e := range environments {
					e.Kill()
				}
				for _, e := range environments {
					must(b, e.Release())
				}
				b.StartTimer()
			}
		})
	}
}

func nextName() string { return strings.TrimPrefix(name(""), "-") }

func meminfo(t testing.TB) map[string]int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/meminfo")
	must(t, err)
	fields := map[string]int64{}
	for l := range strings.Lines(string(b)) {
		if f := strings.Fields(l); len(f) > 1 {
			fields[strings.TrimSuffix(f[0], ":")] = int64(atoi(t, f[1]))
		}
	}
	return fields
}

// privateKB is the memory that nobody shares with an environment's init.
func privateKB(t testing.TB, e sandbox.Environment) (kb int) {
	t.Helper()
	b, err := os.ReadFile(procOf(t, e) + "/smaps_rollup")
	must(t, err)
	for l := range strings.Lines(string(b)) {
		if strings.HasPrefix(l, "Private_") {
			kb += atoi(t, strings.Fields(l)[1])
		}
	}
	return kb
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
