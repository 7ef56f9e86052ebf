package code

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/state"
)

func openState(tb testing.TB, dir string) *state.Store {
	tb.Helper()
	st, err := state.Open(tb.Context(), state.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	return st
}

func openStore(tb testing.TB) *Store {
	tb.Helper()
	s, err := OpenStore(tb.Context(), openState(tb, tb.TempDir()), Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func put(tb testing.TB, s *Store, z []byte) Package {
	tb.Helper()
	p, err := s.Put(tb.Context(), z)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestStoreGivesBackWhatWasPut(t *testing.T) {
	s := openStore(t)
	z := archive(t, item{name: "index.py", body: strings.Repeat("x", 1000)})
	p := put(t, s, z)
	if p.Size != int64(len(z)) || p.Unzipped != 1000 || len(p.SHA256) != 44 {
		t.Fatalf("put %+v", p)
	}
	if again := put(t, s, z); again != p {
		t.Fatalf("put again: %+v", again)
	}
	got, err := s.Bytes(t.Context(), p.SHA256)
	if err != nil || !bytes.Equal(got, z) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
	if st, err := s.Stat(t.Context(), p.SHA256); err != nil || st != p {
		t.Fatalf("stat %+v, %v", st, err)
	}
	if list, err := s.List(t.Context()); err != nil || !slices.Equal(list, []string{p.SHA256}) {
		t.Fatalf("list %v, %v", list, err)
	}
	for range 2 { // the second time there is nothing to delete
		if err := s.Delete(t.Context(), p.SHA256); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Bytes(t.Context(), p.SHA256); !errors.Is(err, ErrNotFound) {
		t.Fatalf("after the deletion: %v", err)
	}
	if _, err := s.Get(t.Context(), "../../etc/passwd"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("a name that is no digest: %v", err)
	}
	if again := put(t, s, z); again != p {
		t.Fatalf("put after the deletion: %+v", again)
	}
}

func TestStoreKeepsOneCopyOfConcurrentPuts(t *testing.T) {
	st := openState(t, t.TempDir())
	z := archive(t, item{name: "a", body: strings.Repeat("x", 100_000)})
	var wg sync.WaitGroup
	for range 3 { // as many nodes
		s, err := OpenStore(t.Context(), st, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			wg.Go(func() {
				if _, err := s.Put(context.Background(), z); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	objects, err := st.Objects(t.Context(), objectsName)
	if err != nil {
		t.Fatal(err)
	}
	if keys, err := objects.List(t.Context()); err != nil || len(keys) != 1 {
		t.Fatalf("stored %v, %v", keys, err)
	}
}

func TestCollectRemovesOnlyWhatNobodyWantsOrIsAboutTo(t *testing.T) {
	s := openStore(t)
	clock := time.Now()
	s.now = func() time.Time { return clock }
	used := put(t, s, archive(t, item{name: "used"}))
	unused := put(t, s, archive(t, item{name: "unused"}))
	retried := put(t, s, archive(t, item{name: "retried"}))
	inUse := map[string]struct{}{used.SHA256: {}}
	collect := func(want int) {
		t.Helper()
		if n, err := s.Collect(t.Context(), inUse); err != nil || n != want {
			t.Fatalf("collected %d, %v; want %d", n, err, want)
		}
	}
	collect(0) // too young
	clock = clock.Add(2 * time.Hour)
	put(t, s, archive(t, item{name: "retried"}))
	collect(1)
	list, err := s.List(t.Context())
	want := []string{used.SHA256, retried.SHA256}
	slices.Sort(want)
	if err != nil || !slices.Equal(list, want) {
		t.Fatalf("left %v, %v; want %v", list, err, want)
	}
	if _, err := s.Stat(t.Context(), unused.SHA256); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
}

func TestCollectRemovesWhatACrashLeftOfAnUpload(t *testing.T) {
	s := openStore(t)
	clock := time.Now()
	s.now = func() time.Time { return clock }
	p := put(t, s, archive(t, item{name: "a"}))
	key, err := hexDigest(p.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.objects.Put(t.Context(), key+".half", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	inUse := map[string]struct{}{p.SHA256: {}}
	for range 2 {
		if _, err := s.Collect(t.Context(), inUse); err != nil {
			t.Fatal(err)
		}
	}
	if has, err := s.objects.Has(t.Context(), key+".half"); err != nil || !has {
		t.Fatalf("gone at once: %v, %v", has, err)
	}
	clock = clock.Add(time.Hour)
	if _, err := s.Collect(t.Context(), inUse); err != nil {
		t.Fatal(err)
	}
	if has, err := s.objects.Has(t.Context(), key+".half"); err != nil || has {
		t.Fatalf("still there: %v, %v", has, err)
	}
	if _, err := s.Bytes(t.Context(), p.SHA256); err != nil {
		t.Fatal(err)
	}
}

// A package that is put while it is being collected is there afterwards.
func TestPutWinsAgainstCollect(t *testing.T) {
	st := openState(t, t.TempDir())
	open := func() *Store {
		s, err := OpenStore(t.Context(), st, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b := open(), open()
	clock := time.Now()
	a.now = func() time.Time { return clock.Add(2 * time.Hour) }
	b.now = a.now
	for i := range 20 {
		z := archive(t, item{name: fmt.Sprint("f", i)})
		a.now = func() time.Time { return clock }
		p := put(t, a, z)
		a.now = b.now
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := a.Collect(context.Background(), nil); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := b.Put(context.Background(), z); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if _, err := b.Bytes(t.Context(), p.SHA256); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
}
