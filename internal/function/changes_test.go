package function

import (
	"context"
	"sync"
	"testing"
)

// A subscriber sees every change of a function once, in order, deletions too.
func TestChangesAreDeliveredInOrder(t *testing.T) {
	ctx := t.Context()
	st := openState(t, t.TempDir())
	c, other := openCatalog(t, st, Options{}), openCatalog(t, st, Options{})
	type seen struct {
		key  Key
		view *View
	}
	feed := make(chan seen, 100)
	stop := other.Changes(func(k Key, v *View) { feed <- seen{k, v} })

	k := key("f")
	var want []*View
	want = append(want, must(c.Create(ctx, k, CreateInput{Config: config(), Package: pkg("a")})))
	want = append(want, must(c.CompleteUpdate(ctx, k, want[0].Wanted.ID)))
	want = append(want, must(c.Tag(ctx, k, map[string]string{"a": "b"})))
	want = append(want, must(c.SetReserved(ctx, k, 5)))
	if err := c.Delete(ctx, k, ""); err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		got := <-feed
		if got.key != k || got.view == nil || got.view.RevisionID != w.RevisionID || len(got.view.Tags) != len(w.Tags) || got.view.Reserved != w.Reserved {
			t.Fatalf("change %d: %+v, want %+v", i, got.view, w)
		}
	}
	if got := <-feed; got.key != k || got.view != nil {
		t.Fatalf("deletion: %+v", got)
	}
	stop()
	must(c.Create(ctx, k, CreateInput{Config: config(), Package: pkg("a")}))
	follow(t, other, c)
	if len(feed) != 0 {
		t.Fatal("called after stop")
	}
}

// A subscriber may call the catalog, mutations included: nothing is held.
func TestSubscriberMayMutate(t *testing.T) {
	c := newCatalog(t)
	done := make(chan error, 1)
	stop := c.Changes(func(k Key, v *View) {
		if v != nil && v.Status.State == Pending {
			_, err := c.CompleteUpdate(context.Background(), k, v.Wanted.ID)
			done <- err
		}
	})
	defer stop()
	k := key("f")
	must(c.Create(t.Context(), k, CreateInput{Config: config(), Package: pkg("a")}))
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if v, _ := c.Lookup(k); v.Status != settled() {
		t.Fatalf("%+v", v.Status)
	}
}

// A subscriber that hangs keeps nobody from changing and seeing functions.
func TestSlowSubscriberHoldsUpNobody(t *testing.T) {
	c := newCatalog(t)
	release := make(chan struct{})
	var once sync.Once
	entered := make(chan struct{})
	stop := c.Changes(func(Key, *View) {
		once.Do(func() { close(entered) })
		<-release
	})
	active(t, c, "a")
	<-entered
	v := active(t, c, "b")
	if v.Status != settled() {
		t.Fatal(v.Status)
	}
	close(release)
	stop()
}
