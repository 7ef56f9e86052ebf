package code

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func openCache(tb testing.TB, dir string, s *Store, max int64) *Cache {
	tb.Helper()
	c, err := OpenCache(dir, s, max, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { closeCache(tb, c) })
	return c
}

func closeCache(tb testing.TB, c *Cache) {
	tb.Helper()
	if err := c.Close(); err != nil {
		tb.Error(err)
	}
}

func acquire(tb testing.TB, c *Cache, p Package) *Lease {
	tb.Helper()
	l, err := c.Acquire(tb.Context(), p.SHA256)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// holds checks that a lease's directory has the file with the body.
func holds(tb testing.TB, l *Lease, name, body string) {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(l.Dir, name))
	if err != nil || string(b) != body {
		tb.Fatalf("%s holds %q, %v; want %q", name, b, err, body)
	}
}

// names lists a cache's directory, but for the file store.
func names(tb testing.TB, dir string) (out []string) {
	tb.Helper()
	ds, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	for _, d := range ds {
		if d.Name() != filesName {
			out = append(out, d.Name())
		}
	}
	return out
}

func TestCacheUnpacksOnce(t *testing.T) {
	s := openStore(t)
	p := put(t, s, archive(t, item{name: "d/index.py", body: "hello", mode: 0o600}))
	dir := t.TempDir()
	c := openCache(t, dir, s, 1<<30)
	if c.Has(p.SHA256) {
		t.Fatal("there before it was fetched")
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			l, err := c.Acquire(context.Background(), p.SHA256)
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Release()
			holds(t, l, "d/index.py", "hello")
		})
	}
	wg.Wait()
	if !c.Has(p.SHA256) {
		t.Fatal("not there after it was fetched")
	}
	if ns := names(t, dir); len(ns) != 1 {
		t.Fatalf("the cache holds %v", ns)
	}
	if held, leased := c.Bytes(); held != 3*4096 || leased != 0 {
		t.Fatalf("holds %d bytes, %d leased", held, leased)
	}
	if _, err := c.Acquire(t.Context(), "nonsense"); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), p.SHA256); err != nil {
		t.Fatal(err)
	}
	acquire(t, c, p).Release() // it does not need the store any more
}

func TestCacheForgetsFailures(t *testing.T) {
	s := openStore(t)
	z := archive(t, item{name: "a", body: "b"})
	p := put(t, s, z)
	if err := s.Delete(t.Context(), p.SHA256); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := openCache(t, dir, s, 1<<30)
	if _, err := c.Acquire(t.Context(), p.SHA256); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if ns := names(t, dir); len(ns) != 0 {
		t.Fatalf("left behind: %v", ns)
	}
	put(t, s, z)
	l := acquire(t, c, p)
	defer l.Release()
	holds(t, l, "a", "b")
}

func TestCacheCallerMayGiveUp(t *testing.T) {
	s := openStore(t)
	p := put(t, s, archive(t, item{name: "a", body: "b"}))
	c := openCache(t, t.TempDir(), s, 1<<30)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if l, err := c.Acquire(ctx, p.SHA256); err == nil {
		l.Release() // the fetch was faster
	} else if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	l := acquire(t, c, p)
	holds(t, l, "a", "b")
	l.Release()
	if _, leased := c.Bytes(); leased != 0 {
		t.Fatalf("%d bytes are still leased", leased)
	}
}

func TestCacheEvictsTheLeastRecentlyUsedAndNothingLeased(t *testing.T) {
	s := openStore(t)
	var ps []Package
	for i := range 4 {
		ps = append(ps, put(t, s, archive(t, item{name: "f", body: strings.Repeat(fmt.Sprint(i), 4000)})))
	}
	const each = 2 * 4096
	dir := t.TempDir()
	c := openCache(t, dir, s, 2*each)
	pinned := acquire(t, c, ps[0])
	acquire(t, c, ps[1]).Release()
	acquire(t, c, ps[2]).Release() // makes room for itself: 1 goes
	if c.Has(ps[1].SHA256) || !c.Has(ps[2].SHA256) || !c.Has(ps[0].SHA256) {
		t.Fatal("evicted the wrong package")
	}
	second := acquire(t, c, ps[2])
	third := acquire(t, c, ps[3]) // everything is leased: beyond the limit
	if held, leased := c.Bytes(); held != 3*each || leased != 3*each {
		t.Fatalf("holds %d, leased %d", held, leased)
	}
	for i, l := range map[int]*Lease{0: pinned, 2: second, 3: third} {
		holds(t, l, "f", strings.Repeat(fmt.Sprint(i), 4000))
	}
	pinned.Release() // over the limit: goes at once
	pinned.Release() // counts once
	if c.Has(ps[0].SHA256) || !c.Has(ps[2].SHA256) || !c.Has(ps[3].SHA256) {
		t.Fatal("evicted the wrong package")
	}
	second.Release()
	third.Release()
	closeCache(t, c)
	if ns := names(t, dir); len(ns) != 2 {
		t.Fatalf("the directory holds %v", ns)
	}
}

func TestCacheGoesOnAfterARestart(t *testing.T) {
	s := openStore(t)
	dir := t.TempDir()
	a := put(t, s, archive(t, item{name: "a", body: "A"}))
	b := put(t, s, archive(t, item{name: "b", body: "B"}))
	c := openCache(t, dir, s, 1<<30)
	acquire(t, c, a).Release()
	acquire(t, c, b).Release()
	closeCache(t, c)
	// What a crash leaves: something in the making, something on its way out,
	// and a directory that was never finished.
	for _, d := range []string{makingPrefix + "1/task", trashPrefix + "2/task", strings.Repeat("ab", 32) + "/task"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// The order of use survives too: a is the older one, and must go first.
	keyA, _ := hexDigest(a.SHA256)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, keyA, manifestName), old, old); err != nil {
		t.Fatal(err)
	}
	c = openCache(t, dir, s, 3*4096)
	if c.Has(a.SHA256) || !c.Has(b.SHA256) {
		t.Fatal("evicted the wrong package at the start")
	}
	if ns := names(t, dir); len(ns) != 1 {
		t.Fatalf("the directory holds %v", ns)
	}
	l := acquire(t, c, b)
	defer l.Release()
	holds(t, l, "b", "B")
}

func TestCacheRepairs(t *testing.T) {
	z := func(t *testing.T) []byte {
		return archive(t,
			item{name: "d/a", body: "sound", mode: 0o755},
			item{name: "b", body: "sound"},
			item{name: "l", body: "b", mode: fs.ModeSymlink | 0o777})
	}
	write := func(t *testing.T, name, body string) {
		// Not in place: a lease's files must not change under it.
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(body), 0o555); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, 0o555); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		damage   func(t *testing.T, at string)
		byVerify bool // only reading everything finds it
	}{
		"a missing file": {damage: func(t *testing.T, at string) {
			if err := os.Remove(filepath.Join(at, "task/d/a")); err != nil {
				t.Fatal(err)
			}
		}},
		"a truncated file": {damage: func(t *testing.T, at string) { write(t, filepath.Join(at, "task/d/a"), "") }},
		"a lost mode": {damage: func(t *testing.T, at string) {
			if err := os.Chmod(filepath.Join(at, "task/d/a"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		"a file in the place of a link": {damage: func(t *testing.T, at string) { write(t, filepath.Join(at, "task/l"), "sound") }},
		"a link elsewhere": {damage: func(t *testing.T, at string) {
			l := filepath.Join(at, "task/l")
			if err := errors.Join(os.Remove(l), os.Symlink("/etc/passwd", l)); err != nil {
				t.Fatal(err)
			}
		}},
		"a lost manifest": {damage: func(t *testing.T, at string) {
			if err := os.Truncate(filepath.Join(at, manifestName), 0); err != nil {
				t.Fatal(err)
			}
		}},
		"no files at all": {damage: func(t *testing.T, at string) {
			if err := os.RemoveAll(filepath.Join(at, "task")); err != nil {
				t.Fatal(err)
			}
		}},
		"other contents": {byVerify: true, damage: func(t *testing.T, at string) { write(t, filepath.Join(at, "task/d/a"), "s0und") }},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			p := put(t, s, z(t))
			key, err := hexDigest(p.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			c := openCache(t, dir, s, 1<<30)
			acquire(t, c, p).Release()
			closeCache(t, c)
			tc.damage(t, filepath.Join(dir, key))
			c = openCache(t, dir, s, 1<<30)
			if tc.byVerify {
				if n, err := c.Verify(t.Context()); err != nil || n != 1 {
					t.Fatalf("repaired %d, %v", n, err)
				}
			}
			l := acquire(t, c, p)
			defer l.Release()
			for _, f := range []string{"d/a", "b", "l"} {
				holds(t, l, f, "sound")
			}
			if n, err := c.Verify(t.Context()); err != nil || n != 0 {
				t.Fatalf("still something to repair: %d, %v", n, err)
			}
			if held, _ := c.Bytes(); held != onDisk(t, dir) {
				t.Fatalf("counts %d bytes, and the disk holds %d", held, onDisk(t, dir))
			}
		})
	}
}

// After the machine was booted anew, what was not synced may have lost its
// contents; then even the first Acquire reads everything.
func TestCacheDistrustsAnotherBoot(t *testing.T) {
	s := openStore(t)
	p := put(t, s, archive(t, item{name: "a", body: "sound"}))
	key, err := hexDigest(p.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := openCache(t, dir, s, 1<<30)
	acquire(t, c, p).Release()
	closeCache(t, c)
	m, err := readManifest(filepath.Join(dir, key, manifestName))
	if err != nil {
		t.Fatal(err)
	}
	m.Boot = "another"
	f := filepath.Join(dir, key, taskName, "a")
	if err := errors.Join(
		writeManifest(filepath.Join(dir, key, manifestName), m),
		os.Chmod(f, 0o755), os.WriteFile(f, []byte("\x00\x00\x00\x00\x00"), 0o755), os.Chmod(f, 0o555),
	); err != nil {
		t.Fatal(err)
	}
	c = openCache(t, dir, s, 1<<30)
	l := acquire(t, c, p)
	defer l.Release()
	holds(t, l, "a", "sound")
}

func TestVerifyLeavesTheDamagedDirectoryToItsLeases(t *testing.T) {
	s := openStore(t)
	p := put(t, s, archive(t, item{name: "a", body: "sound"}, item{name: "b", body: "sound"}))
	dir := t.TempDir()
	c := openCache(t, dir, s, 1<<30)
	l := acquire(t, c, p)
	running, err := os.OpenRoot(l.Dir) // as an environment has it mounted
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	if err := os.Remove(filepath.Join(l.Dir, "a")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Verify(t.Context()); err != nil || n != 1 {
		t.Fatalf("repaired %d, %v", n, err)
	}
	if b, err := running.ReadFile("b"); err != nil || string(b) != "sound" {
		t.Fatalf("what runs lost its files: %q, %v", b, err)
	}
	second := acquire(t, c, p)
	holds(t, second, "a", "sound")
	second.Release()
	l.Release()
	closeCache(t, c)
	if ns := names(t, dir); len(ns) != 1 {
		t.Fatalf("the directory holds %v", ns)
	}
}

// Many users of more packages than fit, with restarts: a lease always holds
// its package whole, and the bytes are counted right.
func TestCacheUnderPressure(t *testing.T) {
	s := openStore(t)
	var ps []Package
	for i := range 8 {
		ps = append(ps, put(t, s, archive(t,
			item{name: "x/f", body: strings.Repeat(fmt.Sprint(i), 5000*(i+1))},
			item{name: "lib/common", body: strings.Repeat("c", 9000)},
			item{name: "lib/half", body: strings.Repeat(fmt.Sprint(i%2), 9000)},
		)))
	}
	dir := t.TempDir()
	for range 3 {
		c := openCache(t, dir, s, 96<<10)
		var wg sync.WaitGroup
		for w := range 8 {
			rnd := rand.New(rand.NewPCG(uint64(w), 1))
			wg.Go(func() {
				for range 40 {
					i := rnd.IntN(len(ps))
					l, err := c.Acquire(context.Background(), ps[i].SHA256)
					if err != nil {
						t.Error(err)
						return
					}
					b, err := os.ReadFile(filepath.Join(l.Dir, "x/f"))
					if want := strings.Repeat(fmt.Sprint(i), 5000*(i+1)); err != nil || string(b) != want {
						t.Errorf("package %d holds %d bytes, %v", i, len(b), err)
					}
					l.Release()
				}
			})
		}
		wg.Wait()
		held, leased := c.Bytes()
		if held > 96<<10 || leased != 0 {
			t.Fatalf("holds %d bytes, %d leased", held, leased)
		}
		closeCache(t, c)
		if disk := onDisk(t, dir); held != disk {
			t.Fatalf("counts %d bytes, and the disk holds %d", held, disk)
		}
		for _, n := range names(t, dir) {
			if strings.HasPrefix(n, ".") {
				t.Fatalf("left behind: %s", n)
			}
		}
	}
}

func BenchmarkAcquireReady(b *testing.B) {
	s := openStore(b)
	p := put(b, s, archive(b, item{name: "a", body: "x"}))
	c := openCache(b, b.TempDir(), s, 1<<30)
	acquire(b, c, p).Release()
	for b.Loop() {
		acquire(b, c, p).Release()
	}
}

func BenchmarkFetch(b *testing.B) {
	s := openStore(b)
	items := make([]item, 100)
	for i := range items {
		items[i] = item{name: fmt.Sprintf("lib/m%d.py", i), body: strings.Repeat("line of code\n", 300)}
	}
	p := put(b, s, archive(b, items...))
	c := openCache(b, b.TempDir(), s, 1) // nothing stays
	for b.Loop() {
		acquire(b, c, p).Release()
	}
}
