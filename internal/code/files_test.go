package code

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inode is a file's identity.
func inode(tb testing.TB, name string) uint64 {
	tb.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		tb.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// onDisk is what a cache's directory holds by the measure of Cache.Bytes: a
// block for each name in a package, and the blocks of each file once.
func onDisk(tb testing.TB, dir string) (total int64) {
	tb.Helper()
	seen := map[uint64]bool{}
	for _, key := range names(tb, dir) {
		if strings.HasPrefix(key, ".") {
			continue // on its way out
		}
		task := filepath.Join(dir, key, taskName)
		err := filepath.WalkDir(task, func(at string, d fs.DirEntry, err error) error {
			if err != nil || at == task {
				return err
			}
			total += blockSize
			info, err := d.Info()
			if err != nil {
				return err
			}
			if ino := info.Sys().(*syscall.Stat_t).Ino; d.Type().IsRegular() && !seen[ino] {
				seen[ino] = true
				total += blocks(info.Size())
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	return total
}

// stored lists the files of the cache's file store.
func stored(tb testing.TB, dir string) (out []string) {
	tb.Helper()
	err := filepath.WalkDir(filepath.Join(dir, filesName), func(at string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, at)
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// spoil changes a file where it stands, for all that have a link to it.
func spoil(tb testing.TB, name, body string) {
	tb.Helper()
	info, err := os.Stat(name)
	if err != nil {
		tb.Fatal(err)
	}
	err = errors.Join(
		os.Chmod(name, 0o600), os.WriteFile(name, []byte(body), 0o600),
		os.Chmod(name, info.Mode()), os.Chtimes(name, info.ModTime(), info.ModTime()),
	)
	if err != nil {
		tb.Fatal(err)
	}
}

const library = "a library that every revision has"

// revision is a package of a function that has a library and code of its own.
func revision(tb testing.TB, s *Store, n int) Package {
	tb.Helper()
	return put(tb, s, archive(tb,
		item{name: "index.py", body: fmt.Sprint("revision ", n), mode: 0o644},
		item{name: "lib/library.py", body: library, mode: 0o644},
		item{name: "lib/__init__.py", body: "", mode: 0o644},
	))
}

func TestRevisionsShareWhatTheyHaveInCommon(t *testing.T) {
	s := openStore(t)
	dir := t.TempDir()
	c := openCache(t, dir, s, 1<<30)
	one, two := acquire(t, c, revision(t, s, 1)), acquire(t, c, revision(t, s, 2))
	for n, l := range []*Lease{one, two} {
		holds(t, l, "index.py", fmt.Sprint("revision ", n+1))
		holds(t, l, "lib/library.py", library)
		holds(t, l, "lib/__init__.py", "")
	}
	if inode(t, filepath.Join(one.Dir, "lib/library.py")) != inode(t, filepath.Join(two.Dir, "lib/library.py")) {
		t.Fatal("the library is on the disk twice")
	}
	// Four names each, and three files that are not empty.
	held, leased := c.Bytes()
	if want := int64(2*4+3) * blockSize; held != want || leased != want || onDisk(t, dir) != want {
		t.Fatalf("counts %d bytes, %d leased, %d on the disk; want %d", held, leased, onDisk(t, dir), want)
	}
	info, err := os.Stat(filepath.Join(one.Dir, "lib/library.py"))
	if err != nil || info.Mode().Perm()&0o222 != 0 {
		t.Fatalf("a shared file can be written: %v, %v", info.Mode(), err)
	}
}

// A hard link has one mode and one time: files are shared where these agree.
func TestFilesThatDifferInModeOrTimeAreNotShared(t *testing.T) {
	s := openStore(t)
	c := openCache(t, t.TempDir(), s, 1<<30)
	mode := acquire(t, c, put(t, s, archive(t,
		item{name: "plain", body: library, mode: 0o644},
		item{name: "program", body: library, mode: 0o755},
	)))
	at := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	older := archive(t, item{name: "plain", body: library, mode: 0o644, mod: setModified(at)})
	before := acquire(t, c, put(t, s, older))
	seen := map[uint64]bool{}
	for _, name := range []string{filepath.Join(mode.Dir, "plain"), filepath.Join(mode.Dir, "program"), filepath.Join(before.Dir, "plain")} {
		if seen[inode(t, name)] {
			t.Fatalf("%s is shared", name)
		}
		seen[inode(t, name)] = true
	}
	if info, err := os.Stat(filepath.Join(before.Dir, "plain")); err != nil || !info.ModTime().Equal(at) {
		t.Fatalf("the time became %v, %v", info.ModTime(), err)
	}
}

func TestAFileGoesWithTheLastPackageThatHasIt(t *testing.T) {
	s := openStore(t)
	dir := t.TempDir()
	one, two := revision(t, s, 1), revision(t, s, 2)
	c := openCache(t, dir, s, 1<<30)
	acquire(t, c, one).Release()
	acquire(t, c, two).Release()
	if n := len(stored(t, dir)); n != 3 {
		t.Fatalf("the file store has %d files", n)
	}
	closeCache(t, c)

	// After a restart with room for one revision: the other one's code goes.
	c = openCache(t, dir, s, 6*blockSize)
	if c.Has(one.SHA256) || !c.Has(two.SHA256) {
		t.Fatal("evicted the wrong package")
	}
	if n := len(stored(t, dir)); n != 2 {
		t.Fatalf("the file store has %d files", n)
	}
	l := acquire(t, c, two)
	holds(t, l, "lib/library.py", library)
	l.Release()
	closeCache(t, c)

	c = openCache(t, dir, s, 1)
	if left := append(names(t, dir), stored(t, dir)...); len(left) != 0 {
		t.Fatalf("the cache is empty and holds %v", left)
	}
	if held, _ := c.Bytes(); held != 0 {
		t.Fatalf("counts %d bytes", held)
	}
}

// A file that was damaged in the store is damaged in every package. It is found
// when another package brings it, or by Verify; then all of them get it sound.
func TestADamagedSharedFileIsRepairedEverywhere(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		find func(t *testing.T, s *Store, c *Cache)
	}{
		"another package brings it": {strings.ToUpper(library), func(t *testing.T, s *Store, c *Cache) {
			l := acquire(t, c, revision(t, s, 3))
			holds(t, l, "lib/library.py", library)
			l.Release()
		}},
		"another package brings it, and it was cut short": {"a li", func(t *testing.T, s *Store, c *Cache) {
			acquire(t, c, revision(t, s, 3)).Release()
		}},
		"verified": {strings.ToUpper(library), func(t *testing.T, _ *Store, c *Cache) {
			// The first repair may have had the other one repaired already.
			if n, err := c.Verify(t.Context()); err != nil || n < 1 || n > 2 {
				t.Fatalf("repaired %d, %v", n, err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			dir := t.TempDir()
			one, two := revision(t, s, 1), revision(t, s, 2)
			c := openCache(t, dir, s, 1<<30)
			running := acquire(t, c, one) // in use all the while
			acquire(t, c, two).Release()
			spoil(t, filepath.Join(running.Dir, "lib/library.py"), tc.body)
			tc.find(t, s, c)
			closeCache(t, c) // waits for what was begun
			c = openCache(t, dir, s, 1<<30)
			for _, p := range []Package{one, two} {
				l := acquire(t, c, p)
				holds(t, l, "lib/library.py", library)
				l.Release()
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

// A file has as many links as its file system lets it have; packages beyond
// that have copies.
func TestPackagesBeyondTheLinkLimitHaveCopies(t *testing.T) {
	s := openStore(t)
	dir := t.TempDir()
	one, two := revision(t, s, 1), revision(t, s, 2)
	c := openCache(t, dir, s, 1<<30)
	first := acquire(t, c, one)
	links := t.TempDir()
	for n := 0; ; n++ {
		if n == 70_000 { // ext4 has 65,000
			t.Skip("this file system has no limit, or a high one")
		}
		err := os.Link(filepath.Join(first.Dir, "lib/library.py"), filepath.Join(links, fmt.Sprint(n)))
		if errors.Is(err, syscall.EMLINK) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	second := acquire(t, c, two)
	holds(t, second, "lib/library.py", library)
	if inode(t, filepath.Join(first.Dir, "lib/library.py")) == inode(t, filepath.Join(second.Dir, "lib/library.py")) {
		t.Fatal("linked beyond the limit")
	}
	if held, _ := c.Bytes(); held != onDisk(t, dir) {
		t.Fatalf("counts %d bytes, and the disk holds %d", held, onDisk(t, dir))
	}
	// The copy is proven and repaired like everything else.
	second.Release()
	spoil(t, filepath.Join(second.Dir, "lib/library.py"), strings.ToUpper(library))
	if n, err := c.Verify(t.Context()); err != nil || n != 1 {
		t.Fatalf("repaired %d, %v", n, err)
	}
	second = acquire(t, c, two)
	defer second.Release()
	holds(t, second, "lib/library.py", library)
}

// BenchmarkFetchShared is BenchmarkFetch when another revision has all the files but one.
func BenchmarkFetchShared(b *testing.B) {
	s := openStore(b)
	make := func(n int) Package {
		items := []item{{name: "index.py", body: fmt.Sprint(n)}}
		for i := range 100 {
			items = append(items, item{name: fmt.Sprintf("lib/m%d.py", i), body: strings.Repeat(fmt.Sprintln("line of code", i), 300)})
		}
		return put(b, s, archive(b, items...))
	}
	one, two := make(1), make(2)
	c := openCache(b, b.TempDir(), s, 1) // nothing stays that is not leased
	defer acquire(b, c, one).Release()
	for b.Loop() {
		acquire(b, c, two).Release()
	}
}
