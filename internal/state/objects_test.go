package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/hearthd/hearth/internal/state"
)

const chunk = 512 << 10

func objects(t testing.TB, s *state.Store) *state.Objects {
	t.Helper()
	o, err := s.Objects(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// random content, so that no chunk is like another.
func random(n int) []byte {
	content := make([]byte, n)
	var seed [32]byte
	seed[0], seed[1], seed[2] = byte(n), byte(n>>8), byte(n>>16)
	_, _ = rand.NewChaCha8(seed).Read(content)
	return content
}

func content(t testing.TB, o *state.Objects, key string) []byte {
	t.Helper()
	r, err := o.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// What is put can be read, listed and deleted.
func TestObjects(t *testing.T) {
	both(t, func(t *testing.T, s *state.Store) {
		o := objects(t, s)
		keys := []string{"a", "b/c", "+/=", "$LATEST:é ", "*.>"}
		for i, n := range []int{0, 1, chunk - 1, chunk, 3*chunk + 1} {
			if err := o.Put(t.Context(), keys[i], bytes.NewReader(random(n))); err != nil {
				t.Fatal(err)
			}
			if got := content(t, o, keys[i]); !bytes.Equal(got, random(n)) {
				t.Errorf("%q: %d bytes, want %d", keys[i], len(got), n)
			}
		}
		listed, err := o.List(t.Context())
		slices.Sort(keys)
		slices.Sort(listed)
		if err != nil || !slices.Equal(listed, keys) {
			t.Errorf("List = %q, %v", listed, err)
		}
		for _, key := range keys {
			if has, err := o.Has(t.Context(), key); err != nil || !has {
				t.Errorf("Has(%q) = %t, %v", key, has, err)
			}
			for range 2 {
				if err := o.Delete(t.Context(), key); err != nil {
					t.Errorf("Delete(%q): %v", key, err)
				}
			}
			if has, err := o.Has(t.Context(), key); err != nil || has {
				t.Errorf("Has(%q) after Delete = %t, %v", key, has, err)
			}
			if _, err := o.Get(t.Context(), key); !errors.Is(err, state.ErrNotFound) {
				t.Errorf("Get(%q) after Delete: %v", key, err)
			}
		}
		if listed, err := o.List(t.Context()); err != nil || len(listed) != 0 {
			t.Errorf("List = %q, %v", listed, err)
		}
		if n := countChunks(t, s); n != 0 {
			t.Errorf("%d chunks left", n)
		}
	})
}

// An upload that fails changes nothing and leaves nothing.
func TestPutFails(t *testing.T) {
	s := open(t, state.Options{})
	o := objects(t, s)
	if err := o.Put(t.Context(), "a", strings.NewReader("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	half := io.MultiReader(bytes.NewReader(random(2*chunk+7)), iotest.ErrReader(broken))
	if err := o.Put(t.Context(), "a", half); !errors.Is(err, broken) {
		t.Errorf("Put: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := io.MultiReader(bytes.NewReader(random(chunk)), readerFunc(func([]byte) (int, error) {
		cancel()
		return 1, nil
	}))
	if err := o.Put(ctx, "a", cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v", err)
	}
	if got := content(t, o, "a"); string(got) != "old" {
		t.Errorf("it is now %.9q", got)
	}
	if n := countChunks(t, s); n != 1 {
		t.Errorf("%d chunks, want the old one", n)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A reader sees one object, whole, or an error.
func TestReplaceWhileReading(t *testing.T) {
	o := objects(t, open(t, state.Options{}))
	if err := o.Put(t.Context(), "a", bytes.NewReader(random(3*chunk))); err != nil {
		t.Fatal(err)
	}
	r, err := o.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 100)
	if _, err := io.ReadFull(r, first); err != nil {
		t.Fatal(err)
	}
	if err := o.Put(t.Context(), "a", iotest.OneByteReader(strings.NewReader("new"))); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(r); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("the rest: %d bytes, %v", len(rest), err)
	}
	if got := content(t, o, "a"); string(got) != "new" {
		t.Errorf("it is now %.9q", got)
	}
}

// Of many who put one object at once one is the last, and its chunks are the
// only ones left.
func TestPutAtOnce(t *testing.T) {
	s := open(t, state.Options{})
	o := objects(t, s)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := o.Put(t.Context(), "a", bytes.NewReader(random(2*chunk-i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := content(t, o, "a"); !bytes.Equal(got, random(len(got))) {
		t.Errorf("%d bytes of several", len(got))
	}
	if n := countChunks(t, s); n != 2 {
		t.Errorf("%d chunks, want 2", n)
	}
}

// What a killed node left is removed by the next one; on a cluster only what
// nobody may be uploading right now.
func TestSweep(t *testing.T) {
	for _, c := range []struct {
		name   string
		o      state.Options
		chunks int // left
	}{
		{"embedded", state.Options{}, 1},
		{"elsewhere", state.Options{URL: natsServer(t)}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, c.o)
			o := objects(t, s)
			o.Swept()
			if err := o.Put(t.Context(), "whole", strings.NewReader("whole")); err != nil {
				t.Fatal(err)
			}
			for _, begun := range []time.Time{time.Now().Add(-7 * time.Hour), time.Now()} {
				half := fmt.Sprintf("hearth.objects.test.%d-KILLED-HALF.0", begun.UnixMilli())
				if _, err := s.JetStream().Publish(t.Context(), half, nil); err != nil {
					t.Fatal(err)
				}
			}
			o = objects(t, s)
			o.Swept()
			if n := countChunks(t, s); n != c.chunks {
				t.Errorf("%d chunks, want %d", n, c.chunks)
			}
			if got := content(t, o, "whole"); string(got) != "whole" {
				t.Errorf("it is now %.9q", got)
			}
		})
	}
}

// An object whose chunks are not what was written is never taken for whole.
func TestDamagedObject(t *testing.T) {
	s := open(t, state.Options{})
	o := objects(t, s)
	if err := o.Put(t.Context(), "a", bytes.NewReader(random(2*chunk))); err != nil {
		t.Fatal(err)
	}
	stream, err := s.JetStream().Stream(t.Context(), "OBJECTS_test")
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	// The same chunk again, with one bit changed: the last one counts.
	m.Data[chunk/2] ^= 1
	if _, err := s.JetStream().Publish(t.Context(), m.Subject, m.Data); err != nil {
		t.Fatal(err)
	}
	r, err := o.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r); err == nil {
		t.Errorf("%d bytes and no error", n)
	}
}

// BenchmarkObjects puts and gets packages of 50 MB, the largest.
func BenchmarkObjects(b *testing.B) {
	o := objects(b, open(b, state.Options{}))
	large := random(50 << 20)
	b.Run("put", func(b *testing.B) {
		b.SetBytes(int64(len(large)))
		for b.Loop() {
			if err := o.Put(b.Context(), "a", bytes.NewReader(large)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		b.SetBytes(int64(len(large)))
		for b.Loop() {
			r, err := o.Get(b.Context(), "a")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
