package oci

import (
	"fmt"
	"testing"

	"github.com/hearthd/hearth/internal/sandbox"
)

// BenchmarkBoot is the cost of an environment that the warming pool could not
// provide: made, and taken apart again.
func BenchmarkBoot(b *testing.B) {
	d := newDriver(b, nil)
	i := newInstance(b, d)
	for n := 0; b.Loop(); n++ {
		e := bootShell(b, i, fmt.Sprintf("e-%d", n))
		e.Kill()
		if err := e.Release(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAttach is what a cold start on a pre-booted environment costs on
// the host's side, without the runtime.
func BenchmarkAttach(b *testing.B) {
	d := newDriver(b, nil)
	i := newInstance(b, d)
	code := b.TempDir()
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		e := bootShell(b, i, fmt.Sprintf("e-%d", n))
		b.StartTimer()
		if err := e.Attach(b.Context(), sandbox.AttachSpec{TaskDir: code, Limits: testLimits}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		e.Kill()
		if err := e.Release(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkFreezeThaw is what freezing and thawing an idle environment costs.
func BenchmarkFreezeThaw(b *testing.B) {
	d := newDriver(b, nil)
	i := newInstance(b, d)
	e := bootShell(b, i, "e-1")
	for b.Loop() {
		if err := e.Freeze(); err != nil {
			b.Fatal(err)
		}
		if err := e.Thaw(); err != nil {
			b.Fatal(err)
		}
	}
}
