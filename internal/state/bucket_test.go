package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hearthd/hearth/internal/state"
)

const startTimeout = time.Minute

// The life of a key: who has seen its last revision may change it.
func TestBucket(t *testing.T) {
	both(t, func(t *testing.T, s *state.Store) {
		ctx, b := t.Context(), bucket(t, s)
		first, err := b.Create(ctx, "f.1", []byte("a"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Create(ctx, "f.1", []byte("b")); !errors.Is(err, state.ErrExists) {
			t.Errorf("Create again: %v", err)
		}
		second, err := b.Update(ctx, "f.1", []byte("b"), first)
		if err != nil || second <= first {
			t.Fatalf("Update = %d, %v; it was at %d", second, err, first)
		}
		if _, err := b.Update(ctx, "f.1", []byte("c"), first); !errors.Is(err, state.ErrConflict) {
			t.Errorf("Update of an old revision: %v", err)
		}
		if err := b.Delete(ctx, "f.1", first); !errors.Is(err, state.ErrConflict) {
			t.Errorf("Delete of an old revision: %v", err)
		}
		if e, err := b.Get(ctx, "f.1"); err != nil || string(e.Value) != "b" || e.Revision != second {
			t.Errorf("Get = %+v, %v", e, err)
		}
		if err := b.Delete(ctx, "f.1", second); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Get(ctx, "f.1"); !errors.Is(err, state.ErrNotFound) {
			t.Errorf("Get after Delete: %v", err)
		}
		if _, err := b.Update(ctx, "f.1", nil, second); !errors.Is(err, state.ErrConflict) {
			t.Errorf("Update after Delete: %v", err)
		}
		if err := b.Delete(ctx, "f.1", second); !errors.Is(err, state.ErrConflict) {
			t.Errorf("Delete again: %v", err)
		}
		if third, err := b.Create(ctx, "f.1", []byte("d")); err != nil || third <= second {
			t.Errorf("Create after Delete = %d, %v", third, err)
		}
	})
}

// Values may have MaxValue bytes, and not more.
func TestValueSize(t *testing.T) {
	both(t, func(t *testing.T, s *state.Store) {
		ctx, b := t.Context(), bucket(t, s)
		large := bytes.Repeat([]byte("x"), state.MaxValue)
		revision, err := b.Create(ctx, "a", large)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := b.Get(ctx, "a"); err != nil || !bytes.Equal(e.Value, large) {
			t.Errorf("Get: %d bytes, %v", len(e.Value), err)
		}
		larger := append(large, 'x')
		if _, err := b.Create(ctx, "b", larger); !errors.Is(err, state.ErrTooLarge) {
			t.Errorf("Create: %v", err)
		}
		if _, err := b.Put(ctx, "a", larger); !errors.Is(err, state.ErrTooLarge) {
			t.Errorf("Put: %v", err)
		}
		if _, err := b.Update(ctx, "a", larger, revision); !errors.Is(err, state.ErrTooLarge) {
			t.Errorf("Update: %v", err)
		}
	})
}

func TestKeysThatAreNone(t *testing.T) {
	b := bucket(t, open(t, state.Options{}))
	for _, key := range []string{"", ".a", "a.", "a b", "a*", "$LATEST", "a:b", "é"} {
		if _, err := b.Put(t.Context(), key, nil); err == nil {
			t.Errorf("Put(%q): no error", key)
		}
	}
}

// Of many who change a key at once, each at a time does.
func TestCompareAndSwap(t *testing.T) {
	b := bucket(t, open(t, state.Options{}))
	const writers, times = 8, 25
	if _, err := b.Create(t.Context(), "n", nil); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for done := 0; done < times; {
				e, err := b.Get(t.Context(), "n")
				if err != nil {
					t.Error(err)
					return
				}
				_, err = b.Update(t.Context(), "n", append(e.Value, '.'), e.Revision)
				switch {
				case err == nil:
					done++
				case !errors.Is(err, state.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if e, err := b.Get(t.Context(), "n"); err != nil || len(e.Value) != writers*times {
		t.Errorf("%d changes, %v", len(e.Value), err)
	}
}

// A watcher is told all there is before Watch returns, and all changes after
// that, in order.
func TestWatch(t *testing.T) {
	both(t, func(t *testing.T, s *state.Store) {
		ctx, b := t.Context(), bucket(t, s)
		if err := b.Watch(ctx, func(state.Entry) {}); err != nil {
			t.Fatalf("an empty bucket: %v", err)
		}
		for i := range 1000 {
			if _, err := b.Create(ctx, fmt.Sprintf("k.%d", i), []byte("1")); err != nil {
				t.Fatal(err)
			}
		}
		v := watch(ctx, t, b)
		if n := len(v.snapshot()); n != 1000 {
			t.Fatalf("%d keys", n)
		}
		e, err := b.Get(ctx, "k.7")
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Delete(ctx, "k.7", e.Revision); err != nil {
			t.Fatal(err)
		}
		revision, err := b.Put(ctx, "k.8", []byte("2"))
		if err != nil {
			t.Fatal(err)
		}
		v.await(revision)
		now := v.snapshot()
		if _, ok := now["k.7"]; ok || now["k.8"] != "2" || len(now) != 999 {
			t.Errorf("%d keys, k.7 %q, k.8 %q", len(now), now["k.7"], now["k.8"])
		}
	})
}

// Large values, together larger than what the client library holds at once,
// all come to a watcher that takes its time.
func TestWatchLargeValues(t *testing.T) {
	b := bucket(t, open(t, state.Options{}))
	const keys = 20
	for i := range keys {
		if _, err := b.Create(t.Context(), fmt.Sprintf("k.%d", i), bytes.Repeat([]byte{byte(i)}, 4<<20)); err != nil {
			t.Fatal(err)
		}
	}
	got := 0
	if err := b.Watch(t.Context(), func(e state.Entry) {
		if len(e.Value) != 4<<20 || e.Key != fmt.Sprintf("k.%d", e.Value[1<<20]) {
			t.Errorf("%s has %d bytes", e.Key, len(e.Value))
		}
		got++
	}); err != nil || got != keys {
		t.Fatalf("%d keys, %v", got, err)
	}
}

// A watcher whose context ends is not told any more, and the store still
// closes while changes go on.
func TestWatchEnds(t *testing.T) {
	s := open(t, state.Options{})
	b := bucket(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	inside, leave := make(chan struct{}), make(chan struct{})
	if err := b.Watch(ctx, func(state.Entry) {
		close(inside) // panics when it is told twice
		<-leave
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 { // more than any buffer on the way holds
		if _, err := b.Put(t.Context(), fmt.Sprintf("k.%d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	<-inside
	cancel()
	close(leave)
	closeStore(t, s)
}

// A deleted key stays deleted, also when the server has lost its index and
// reads its files from end to end.
func TestDeletedStaysDeleted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, state.Options{Dir: dir})
	b := bucket(t, s)
	for i := range 100 {
		if _, err := b.Create(t.Context(), fmt.Sprintf("k.%d", i), []byte("1")); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		revision, err := b.Put(t.Context(), fmt.Sprintf("k.%d", i), []byte("2"))
		if err == nil {
			err = b.Delete(t.Context(), fmt.Sprintf("k.%d", i), revision)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	indexes, err := filepath.Glob(dir + "/jetstream/*/streams/KV_test/msgs/index.db")
	if err != nil || len(indexes) != 1 {
		t.Fatal(indexes, err)
	}
	if err := os.Remove(indexes[0]); err != nil {
		t.Fatal(err)
	}
	now := watch(t.Context(), t, bucket(t, open(t, state.Options{Dir: dir}))).snapshot()
	if len(now) != 50 || now["k.7"] != "" {
		t.Errorf("%d keys, want 50; k.7 is %q", len(now), now["k.7"])
	}
}

// Whatever is done to a bucket, it behaves like a map with revisions, and a
// watcher's view becomes the same.
func TestBucketModel(t *testing.T) {
	s := open(t, state.Options{})
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		ctx := t.Context()
		b, err := s.Bucket(ctx, fmt.Sprintf("model%d", n))
		if err != nil {
			r.Fatal(err)
		}
		early := watch(ctx, r, b)
		model := map[string]state.Entry{}
		keys := rapid.SampledFrom([]string{"a", "b", "c.d", "c.e/f", "C-_=1"})
		values := rapid.Map(rapid.StringN(0, 20, -1), func(s string) []byte { return []byte(s) })
		var last uint64
		expect := func(key string, value []byte, revision uint64, err, want error) {
			if !errors.Is(err, want) {
				r.Fatalf("%s: %v, want %v", key, err, want)
			}
			if want == nil {
				if revision <= last {
					r.Fatalf("%s: revision %d after %d", key, revision, last)
				}
				last = revision
				model[key] = state.Entry{Key: key, Value: value, Revision: revision}
			}
		}
		stale := func(key string) (uint64, bool) {
			off := rapid.SampledFrom([]uint64{0, 0, 1}).Draw(r, "revision off")
			return model[key].Revision + off, off != 0
		}
		r.Repeat(map[string]func(*rapid.T){
			"create": func(r *rapid.T) {
				key, value := keys.Draw(r, "key"), values.Draw(r, "value")
				revision, err := b.Create(ctx, key, value)
				var want error
				if _, ok := model[key]; ok {
					want = state.ErrExists
				}
				expect(key, value, revision, err, want)
			},
			"put": func(r *rapid.T) {
				key, value := keys.Draw(r, "key"), values.Draw(r, "value")
				revision, err := b.Put(ctx, key, value)
				expect(key, value, revision, err, nil)
			},
			"update": func(r *rapid.T) {
				key, value := keys.Draw(r, "key"), values.Draw(r, "value")
				if _, ok := model[key]; !ok {
					r.Skip("not there")
				}
				at, off := stale(key)
				revision, err := b.Update(ctx, key, value, at)
				var want error
				if off {
					want = state.ErrConflict
				}
				expect(key, value, revision, err, want)
			},
			"delete": func(r *rapid.T) {
				key := keys.Draw(r, "key")
				if _, ok := model[key]; !ok {
					r.Skip("not there")
				}
				at, off := stale(key)
				err := b.Delete(ctx, key, at)
				if off != errors.Is(err, state.ErrConflict) || (err != nil) != off {
					r.Fatalf("delete %s: %v", key, err)
				}
				if err == nil {
					delete(model, key)
				}
			},
			"": func(r *rapid.T) {
				key := keys.Draw(r, "key")
				e, err := b.Get(ctx, key)
				want, ok := model[key]
				switch {
				case !ok && !errors.Is(err, state.ErrNotFound):
					r.Fatalf("get %s: %+v, %v", key, e, err)
				case ok && (err != nil || !bytes.Equal(e.Value, want.Value) || e.Revision != want.Revision):
					r.Fatalf("get %s: %+v, %v, want %+v", key, e, err, want)
				}
			},
		})
		// One more change that both watchers must come to, last.
		end, err := b.Put(ctx, "end", nil)
		if err != nil {
			r.Fatal(err)
		}
		want := map[string]string{"end": ""}
		for key, e := range model {
			want[key] = string(e.Value)
		}
		late := watch(ctx, r, b)
		for name, v := range map[string]*view{"early": early, "late": late} {
			v.await(end)
			if got := v.snapshot(); !maps.Equal(got, want) {
				r.Fatalf("%s watcher has %v, want %v", name, got, want)
			}
		}
	})
}

// A bucket that keeps its past shows the last revisions of a key, also when it
// was made without one.
func TestPast(t *testing.T) {
	both(t, func(t *testing.T, s *state.Store) {
		ctx, before := t.Context(), bucket(t, s)
		old, err := before.Create(ctx, "k", []byte("old"))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time it has it already
			b, err := s.BucketWithPast(ctx, "test")
			if err != nil {
				t.Fatal(err)
			}
			past := func(key string, want ...string) {
				t.Helper()
				entries, err := b.Past(ctx, key)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, e := range entries {
					got = append(got, string(e.Value))
				}
				if !slices.Equal(got, want) {
					t.Errorf("the past of %s is %v, want %v", key, got, want)
				}
			}
			past("k", "old")
			past("none")
			if old, err = b.Update(ctx, "k", []byte("new"), old); err != nil {
				t.Fatal(err)
			}
			past("k", "old", "new")
			if e, err := b.Get(ctx, "k"); err != nil || string(e.Value) != "new" {
				t.Errorf("Get = %+v, %v", e, err)
			}
			if err := b.Delete(ctx, "k", old); err != nil {
				t.Fatal(err)
			}
			past("k")
			if old, err = b.Create(ctx, "k", []byte("old")); err != nil {
				t.Fatal(err)
			}
			past("k", "old")
		}
		b, err := s.BucketWithPast(ctx, "test")
		if err != nil {
			t.Fatal(err)
		}
		for range state.MaxKept + 5 {
			if _, err := b.Put(ctx, "k", []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if past, err := b.Past(ctx, "k"); err != nil || len(past) != state.MaxKept {
			t.Errorf("%d revisions are kept, %v", len(past), err)
		}
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		if past, err := b.Past(ctx, "k"); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %d revisions, %v", len(past), err)
		}
	})
}

// view is what a watcher makes of what it is told.
type view struct {
	mu     sync.Mutex
	moved  *sync.Cond
	values map[string]string // guarded by mu
	seen   uint64            // guarded by mu
}

func watch(ctx context.Context, t failer, b *state.Bucket) *view {
	t.Helper()
	v := &view{values: map[string]string{}}
	v.moved = sync.NewCond(&v.mu)
	if err := b.Watch(ctx, func(e state.Entry) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if e.Revision <= v.seen {
			t.Errorf("%s: revision %d told after %d", e.Key, e.Revision, v.seen)
		}
		v.seen = e.Revision
		if v.values[e.Key] = string(e.Value); e.Deleted {
			delete(v.values, e.Key)
		}
		v.moved.Broadcast()
	}); err != nil {
		t.Fatal(err)
	}
	return v
}

// failer is what the tests of [testing] and of rapid have in common.
type failer interface {
	Helper()
	Fatal(...any)
	Errorf(string, ...any)
}

// await returns when the view has come to the revision.
func (v *view) await(revision uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for v.seen < revision {
		v.moved.Wait()
	}
}

func (v *view) snapshot() map[string]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return maps.Clone(v.values)
}
