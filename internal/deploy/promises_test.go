package deploy

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/function/functiontest"
	"github.com/hearthd/hearth/internal/runtimes"
	"github.com/hearthd/hearth/internal/worker"
)

var theKey = function.Key{Account: "123456789012", Name: "f"}

// node is a catalog and a manager on a bucket that outlives them, and the
// environments, which don't.
type node struct {
	bucket  *functiontest.Bucket
	catalog *function.Catalog
	manager *Manager
	world   *world
	stop    func()
}

// start runs a node, as after kill -9: nothing has environments.
func (n *node) start(t rapid.TB) {
	var err error
	n.catalog, err = function.OpenIn(context.Background(), n.bucket, function.Options{Region: "eu-central-1"})
	if err != nil {
		t.Fatal(err)
	}
	n.world = newWorld()
	n.manager = New(Rooms{
		Catalog: n.catalog, Workers: n.world, Runtimes: &runtimes.Set{},
		Limits: worker.NewConcurrency(func(account.ID) int { return 1000 }),
	}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.manager.Run(ctx)
	}()
	n.stop = func() {
		cancel()
		<-done
		if err := n.catalog.Close(); err != nil {
			t.Error(err)
		}
	}
	synctest.Wait()
}

// rounds of 100 interleavings are a second or so.
const rounds = 5

// noDeadline hides a test's deadline from rapid, which is not to be asked for
// within a bubble of synctest.
type noDeadline struct{ testing.TB }

// TestPromises lets updates, moves, requests, boots and crashes happen in any
// order to a real manager on a real catalog, and checks after each of them
// what the package comment promises against what a user could know: which
// updates were accepted, and what became of them.
func TestPromises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range rounds {
			rapid.Check(noDeadline{t}, promises)
		}
	})
}

func promises(rt *rapid.T) {
	h := newHistory(rt)
	defer h.end()
	steps := map[string]func(){
		"update code": h.updateCode,
		"update and request": func() {
			h.updateCode()
			h.request()
		},
		"update config":  h.updateConfig,
		"update to seen": h.updateToSeen,
		"publish":        h.publish,
		"move alias":     h.moveAlias,
		"request":        h.request,
		"request alias":  h.requestAlias,
		"boot ends":      func() { h.node.world.finish(rapid.IntRange(0, 3).Draw(rt, "boot")) },
		"boot stumbles":  func() { h.node.world.stumble() },
		"time passes":    func() { time.Sleep(time.Duration(rapid.IntRange(1, 5000).Draw(rt, "ms")) * time.Millisecond) },
		"old ones end":   func() { h.node.world.drain() },
		"full or not":    h.fill,
		"policy":         h.policy,
		"trigger":        h.trigger,
		"crash":          h.crash,
	}
	names := slices.Sorted(maps.Keys(steps))
	names = append(names, "boot ends", "boot ends", "boot ends", "request", "request", "request", "request alias", "update code", "publish")
	for range rapid.IntRange(1, 60).Draw(rt, "steps") {
		name := rapid.SampledFrom(names).Draw(rt, "step")
		steps[name]()
		synctest.Wait()
		h.look()
	}
	h.settle()
}
