package rollout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/invoke"
	"github.com/hearthd/hearth/internal/state"
)

const owner account.ID = "123456789012"

// world is the state and the catalog, real ones, with a function "f" of three
// versions whose alias "live" points at 1; and a clock and an invoker of the
// test's.
type world struct {
	t       fataler
	store   *state.Store
	catalog *function.Catalog
	name    string

	mu        sync.Mutex
	now       time.Time
	hook      func(*invoke.Request) (*invoke.Response, error)
	observers map[*func(*invoke.Observation)]function.Key
	updates   int    // of aliases
	crash     string // "before" or "after" the next update of an alias
	hold      bool   // aliases go on moving
}

type fataler interface {
	Helper()
	Fatal(...any)
}

var worlds atomic.Int64

func openStore(t testing.TB) *state.Store {
	t.Helper()
	s, err := state.Open(t.Context(), state.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openCatalog(t testing.TB, s *state.Store) *function.Catalog {
	t.Helper()
	c, err := function.Open(t.Context(), s, function.Options{Region: "eu-central-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func newWorld(t fataler, s *state.Store, c *function.Catalog) *world {
	t.Helper()
	w := &world{
		t: t, store: s, catalog: c, name: fmt.Sprintf("f%d", worlds.Add(1)),
		now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), observers: map[*func(*invoke.Observation)]function.Key{},
	}
	ctx := context.Background()
	for i := 1; i <= 3; i++ {
		pkg := function.Package{SHA256: "sha" + strconv.Itoa(i), Size: 1}
		var view *function.View
		if i == 1 {
			view = must(c.Create(ctx, w.key(), function.CreateInput{
				Config: function.Configuration{Runtime: "python3.13", Handler: "a.b", Role: "arn:aws:iam::123456789012:role/r"}, Package: pkg, Publish: true,
			}))
		} else {
			view = must(c.UpdateCode(ctx, w.key(), function.UpdateCodeInput{Package: pkg, Publish: true}))
		}
		must(c.CompleteUpdate(ctx, w.key(), view.Wanted.ID))
	}
	if _, _, err := c.CreateAlias(ctx, w.key(), function.AliasInput{Name: "live", Version: "1"}); err != nil {
		t.Fatal(err)
	}
	return w
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (w *world) key() function.Key { return function.Key{Account: owner, Name: w.name} }

// open opens the roll-outs as a node that starts does. Nobody drives them but
// the test.
func (w *world) open() *Rollouts {
	w.t.Helper()
	r, err := Open(context.Background(), Options{State: w.store, Catalog: w, Invoker: w, Node: "test", Now: w.clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// drive returns a driver of the alias's roll-out.
func (w *world) drive(r *Rollouts) *driver { return newDriver(r, entryKey(owner, w.name, "live")) }

// advance advances, and again when a hook has ended, so that its end is seen.
func (w *world) advance(d *driver) error {
	for {
		hook, seen := d.hook, false
		if hook != nil {
			seen, _ = hook.ended()
		}
		next, err := d.advance(context.Background())
		if err != nil || next.IsZero() || d.hook == nil || d.hook == hook && seen {
			return err
		}
		<-d.hook.done
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// alias is where the alias points.
func (w *world) alias() routing {
	view, err := w.catalog.Get(w.key())
	if err != nil {
		w.t.Fatal(err)
	}
	a, err := view.Alias("live")
	if err != nil {
		w.t.Fatal(err)
	}
	return routingOf(a.Route)
}

// point is somebody else who changes the alias.
func (w *world) point(to routing) {
	if _, _, err := w.catalog.UpdateAlias(context.Background(), w.key(), "live", to.change("")); err != nil {
		w.t.Fatal(err)
	}
}

// The world is a Catalog whose UpdateAlias can be where the node is killed.

func (w *world) Get(k function.Key) (*function.View, error) { return w.catalog.Get(k) }

func (w *world) Changes(f func(function.Key, *function.View)) func() { return w.catalog.Changes(f) }

var errKilled = errors.New("killed")

func (w *world) UpdateAlias(ctx context.Context, k function.Key, name string, ch function.AliasChange) (*function.View, *function.Alias, error) {
	w.mu.Lock()
	w.updates++
	crash := w.crash
	w.crash = ""
	w.mu.Unlock()
	if crash == "before" {
		return nil, nil, errKilled
	}
	view, a, err := w.catalog.UpdateAlias(ctx, k, name, ch)
	if err == nil && !w.hold {
		if view, err = w.catalog.CompleteMove(ctx, k, name, a.RevisionID); err == nil {
			a, err = view.Alias(name)
		}
	}
	if crash == "after" {
		return nil, nil, errKilled
	}
	return view, a, err
}

// It is an Invoker whose functions are the test's.

func (w *world) Invoke(_ context.Context, req *invoke.Request) (*invoke.Response, error) {
	w.mu.Lock()
	f := w.hook
	w.mu.Unlock()
	if f == nil {
		return &invoke.Response{Status: 200, Payload: []byte("null")}, nil
	}
	return f(req)
}

func (w *world) Observe(k function.Key, f func(*invoke.Observation)) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.observers[&f] = k
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.observers, &f)
	}
}

// request is one that names the alias and is answered by a version.
func (w *world) request(version string, change func(*invoke.Observation)) {
	view, err := w.catalog.Get(w.key())
	if err != nil {
		w.t.Fatal(err)
	}
	o := &invoke.Observation{Qualifier: "live", Version: version, FunctionID: view.FunctionID, Began: w.clock(), Duration: 10 * time.Millisecond, Peak: 30 << 20}
	if change != nil {
		change(o)
	}
	w.mu.Lock()
	var told []*func(*invoke.Observation)
	for f := range w.observers {
		told = append(told, f)
	}
	w.mu.Unlock()
	for _, f := range told {
		(*f)(o)
	}
}

func failing(o *invoke.Observation) { o.Failed = true }
