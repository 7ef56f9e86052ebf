package worker

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/pool"
	"github.com/hearthd/hearth/internal/runtimes"
	"github.com/hearthd/hearth/internal/sandbox"
)

// slowDriver boots one environment, when it may.
type slowDriver struct {
	fakeDriver
	booting chan struct{}
	may     chan struct{}
}

func (d slowDriver) CreateInstance(_ context.Context, id string, c sandbox.Capacity) (sandbox.Instance, error) {
	return slowInstance{fakeInstance{id: id, capacity: c}, d}, nil
}

type slowInstance struct {
	fakeInstance
	d slowDriver
}

func (i slowInstance) Boot(context.Context, string, sandbox.BootSpec) (sandbox.Environment, error) {
	i.d.booting <- struct{}{}
	<-i.d.may
	return endlessBox{}, nil
}

type endlessBox struct{ sandbox.Environment }

func (endlessBox) Done() <-chan struct{}      { return nil }
func (endlessBox) SetRank(sandbox.Rank) error { return nil }

// A deployment boots nothing beside what is being pre-booted where it looks: it
// waits for that and takes it.
func TestADeploymentTakesWhatIsComing(t *testing.T) {
	const runtime, memory = "python3.13", 128
	d := slowDriver{booting: make(chan struct{}, 2), may: make(chan struct{})}
	p := pool.New(d, pool.NewBudget(1024), func(string) (sandbox.BootSpec, error) { return sandbox.BootSpec{}, nil },
		pool.Options{InstanceMB: 1024, Log: slog.New(slog.DiscardHandler)})
	i, err := p.NewInstance(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	defer others.Wait()
	defer stop()
	others.Go(func() {
		if err := p.BootInto(ctx, i, runtime, 1); err != nil {
			t.Error(err)
		}
	})
	<-d.booting
	m := &Manager{rooms: Rooms{Pool: p}, opts: Options{Overlap: 1}}
	try := func(ctx context.Context) (*pool.Ready, error) {
		o := order{ahead: true, beside: []*pool.Instance{i}}
		return m.tryBeside(ctx, &function.Revision{}, runtimes.Runtime{Name: runtime}, o, memory)
	}
	given, giveUp := context.WithCancel(ctx)
	giveUp()
	if r, err := try(given); r != nil || err == nil {
		t.Errorf("who no longer waits got %v, %v", r, err)
	}
	others.Go(func() { close(d.may) })
	r, err := try(ctx)
	if err != nil || r == nil || r.MB != memory {
		t.Fatalf("got %+v, %v", r, err)
	}
	if len(d.booting) > 0 || i.Allocated() != memory {
		t.Errorf("%d more are booting, and %d MB are allocated", len(d.booting), i.Allocated())
	}
}
