package worker

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"pgregory.net/rapid"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/pool"
	"github.com/hearthd/hearth/internal/sandbox"
	"github.com/hearthd/hearth/internal/telemetry"
)

// fakeDriver, fakeInstance and fakeBox stand for the operating system where
// only limits matter.
type fakeDriver struct{ sandbox.Driver }

func (fakeDriver) CreateInstance(_ context.Context, id string, c sandbox.Capacity) (sandbox.Instance, error) {
	return fakeInstance{id: id, capacity: c}, nil
}

type fakeInstance struct {
	sandbox.Instance
	id       string
	capacity sandbox.Capacity
}

func (i fakeInstance) ID() string                 { return i.id }
func (i fakeInstance) Capacity() sandbox.Capacity { return i.capacity }
func (i fakeInstance) Destroy() error             { return nil }

type fakeBox struct {
	sandbox.Environment
	limits sandbox.Limits
	used   int // MB in use: the limit doesn't go below
	grow   func() bool
	gone   bool
}

func (b *fakeBox) SetLimits(l sandbox.Limits) error {
	if b.gone {
		return fmt.Errorf("test: %w", sandbox.ErrGone)
	}
	if l.MemoryMB < b.used {
		b.limits.CPUMilli = l.CPUMilli
		return fmt.Errorf("test: %w", sandbox.ErrInUse)
	}
	b.limits = l
	return nil
}

func (b *fakeBox) Guard(grow func() bool) error {
	b.grow = grow
	return nil
}

// TestReservationsAreExact resizes, grows, shrinks and ends environments in
// every order, and holds the books to it: what is reserved in the instance and
// on the node is the sum of what environments have, every limit is what is
// reserved for it, and nothing is promised twice.
func TestReservationsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const capacity, overlap = 2048, 1.25
		budget := pool.NewBudget(rapid.IntRange(256, 3000).Draw(t, "node"))
		p := pool.New(fakeDriver{}, budget, nil, pool.Options{InstanceMB: capacity, Log: slog.New(slog.DiscardHandler)})
		instance, err := p.NewInstance(context.Background(), "a")
		if err != nil {
			t.Fatal(err)
		}
		m := &Manager{rooms: Rooms{Pool: p, Metrics: telemetry.NewMetrics()}, freed: make(chan struct{})}
		var alive []*Environment
		amount := rapid.Custom(func(t *rapid.T) Amount {
			mb := function.MemoryMB(rapid.IntRange(128, 1500).Draw(t, "memory"))
			return Amount{Memory: mb, CPU: function.MemoryMB(rapid.IntRange(128, 1500).Draw(t, "cpu")), Ceiling: function.MemoryMB(rapid.IntRange(0, 2500).Draw(t, "ceiling"))}
		})
		one := func(t *rapid.T) *Environment {
			if len(alive) == 0 {
				t.Skip("nobody there")
			}
			return alive[rapid.IntRange(0, len(alive)-1).Draw(t, "which")]
		}
		box := func(e *Environment) *fakeBox { return e.box.(*fakeBox) }
		t.Repeat(map[string]func(*rapid.T){
			"boot": func(t *rapid.T) {
				a := amount.Draw(t, "amount")
				// Deployments overlap: for a while there may be more than there is.
				times := rapid.SampledFrom([]float64{1, overlap}).Draw(t, "times")
				if !instance.HoldWithin(int(a.Memory), times) {
					return
				}
				e := &Environment{m: m, instance: instance, box: &fakeBox{limits: sandbox.Limits{MemoryMB: int(a.Memory)}}}
				e.holding.amount = a
				if e.initialised() != nil {
					t.Fatal("not initialised")
				}
				alive = append(alive, e)
			},
			"fit": func(t *rapid.T) {
				e, a := one(t), amount.Draw(t, "amount")
				before := e.Amount()
				ok := e.fit(a)
				now := e.Amount()
				switch {
				case !ok && now != before:
					t.Fatalf("refused, and it is %+v after %+v", now, before)
				case ok && now.Memory < a.Memory:
					t.Fatalf("%d MB for %d", now.Memory, a.Memory)
				case ok && now.Memory != a.Memory && now.Memory != before.Memory:
					t.Fatalf("%d MB, neither the old nor the new", now.Memory)
				}
			},
			"grow": func(t *rapid.T) {
				e := one(t)
				if box(e).grow == nil {
					return
				}
				before := e.Amount()
				grown := box(e).grow()
				now := e.Amount()
				if now.Memory > max(before.Memory, before.Ceiling) || grown != (now.Memory > before.Memory) {
					t.Fatalf("grown %t from %+v to %+v", grown, before, now)
				}
			},
			"use": func(t *rapid.T) { e := one(t); box(e).used = rapid.IntRange(0, box(e).limits.MemoryMB).Draw(t, "used") },
			"die": func(t *rapid.T) { box(one(t)).gone = true },
			"remove": func(t *rapid.T) {
				e := one(t)
				if err := instance.Let(e.release()); err != nil {
					t.Fatal(err)
				}
				if e.grow() || e.fit(Amount{Memory: 128}) {
					t.Fatal("changed after its end")
				}
				for n := range alive {
					if alive[n] == e {
						alive = append(alive[:n], alive[n+1:]...)
						break
					}
				}
				if len(alive) == 0 {
					if instance, err = p.NewInstance(context.Background(), "a"); err != nil {
						t.Fatal(err)
					}
				}
			},
			"": func(t *rapid.T) {
				sum := 0
				for _, e := range alive {
					a := e.Amount()
					sum += int(a.Memory)
					if l := box(e).limits.MemoryMB; l != int(a.Memory) {
						t.Fatalf("the limit is %d MB and %d are reserved", l, a.Memory)
					}
				}
				if instance.Allocated() != sum || budget.Reserved() != sum || float64(sum) > capacity*overlap || float64(sum) > float64(budget.Limit())*overlap {
					t.Fatalf("environments have %d MB; %d are allocated, %d reserved", sum, instance.Allocated(), budget.Reserved())
				}
			},
		})
	})
}

func TestSharesOfCPU(t *testing.T) {
	for _, c := range []struct {
		perCPU int
		memory function.MemoryMB
		want   int
	}{{0, 128, 72}, {1769, 128, 72}, {1000, 128, 128}, {1 << 20, 128, 1}, {1, 128, 0}} {
		m := &Manager{opts: Options{MBPerCPU: c.perCPU}}
		if got := m.cpuMilli(c.memory); got != c.want {
			t.Errorf("%d MB at %d MB for each CPU: %d thousandths, want %d", c.memory, c.perCPU, got, c.want)
		}
	}
}

func TestSharesOfProcessesAndNetwork(t *testing.T) {
	for _, c := range []struct {
		perCPU, mbitPerCPU int
		memory             function.MemoryMB
		pids, mbit         int
	}{
		{0, 0, 128, 1024, 0}, {0, 0, 1769, 1024, 0}, {0, 0, 3538, 2048, 0},
		{0, 1000, 1769, 1024, 1000}, {0, 1000, 128, 1024, 72}, {1000, 500, 3000, 3072, 1500}, {1 << 20, 1, 128, 1024, 1},
	} {
		m := &Manager{opts: Options{MBPerCPU: c.perCPU, MbitPerCPU: c.mbitPerCPU}}
		if pids, mbit := m.pids(c.memory), m.networkMbit(c.memory); pids != c.pids || mbit != c.mbit {
			t.Errorf("%d MB: %d processes and %d Mbit/s, want %d and %d", c.memory, pids, mbit, c.pids, c.mbit)
		}
	}
}

func TestFunctionIsToldOfChangesOnce(t *testing.T) {
	e := &Environment{}
	e.holding.amount.Memory, e.holding.told = 256, 256
	if n := e.tell(); n != 0 {
		t.Errorf("told %d MB, which it knew", n)
	}
	e.holding.amount.Memory = 512
	if n := e.tell(); n != 512 {
		t.Errorf("told %d MB", n)
	}
	if n := e.tell(); n != 0 {
		t.Errorf("told %d MB again", n)
	}
}

func TestBestIdleEnvironmentHasTheAmount(t *testing.T) {
	s := &set{all: map[*Environment]struct{}{}}
	for _, mb := range []function.MemoryMB{128, 256, 512, 512} {
		e := &Environment{set: s}
		e.holding.amount.Memory = mb
		s.idle = append(s.idle, e)
	}
	for _, c := range []struct{ wants, gets function.MemoryMB }{{256, 256}, {999, 512}, {128, 128}, {128, 512}} {
		if e, _, _ := s.take(Amount{Memory: c.wants}, false); e.Amount().Memory != c.gets {
			t.Errorf("%d MB for %d, want %d", e.Amount().Memory, c.wants, c.gets)
		}
	}
	if e, w, _ := s.take(Amount{Memory: 700}, false); e != nil || s.needs(Amount{Memory: 128}).Memory != 700 {
		t.Error("what a request waits for is what is booted")
	} else {
		s.abandon(w)
	}
	if a := s.needs(Amount{Memory: 128}); a.Memory != 128 {
		t.Errorf("%d MB for nobody", a.Memory)
	}
}
