package state_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/state"
)

// BenchmarkCreate makes keys of 1 KB, each acknowledged before the next.
func BenchmarkCreate(b *testing.B) {
	for _, always := range []bool{false, true} {
		b.Run(fmt.Sprintf("sync=%t", always), func(b *testing.B) {
			k := bucket(b, open(b, state.Options{SyncAlways: always}))
			value := bytes.Repeat([]byte("x"), 1<<10)
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Create(b.Context(), fmt.Sprintf("key.%d", n), value); err != nil {
					b.Fatal(err)
				}
				n++
			}
		})
	}
}

// BenchmarkCreateParallel has 16 writers.
func BenchmarkCreateParallel(b *testing.B) {
	k := bucket(b, open(b, state.Options{}))
	value := bytes.Repeat([]byte("x"), 1<<10)
	var n atomic.Int64
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := k.Create(b.Context(), fmt.Sprintf("key.%d", n.Add(1)), value); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkWatch loads 100,000 keys of 1 KB, as a node does when it starts.
func BenchmarkWatch(b *testing.B) {
	const keys = 100_000
	k := bucket(b, open(b, state.Options{}))
	value := bytes.Repeat([]byte("x"), 1<<10)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < keys; i += 16 {
				if _, err := k.Create(b.Context(), fmt.Sprintf("key.%d", i), value); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		n := 0
		start := time.Now()
		if err := k.Watch(ctx, func(state.Entry) { n++ }); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(start))/float64(time.Second), "s/load")
		cancel()
		if n != keys {
			b.Fatalf("%d keys", n)
		}
	}
}
