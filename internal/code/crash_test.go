package code

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/state"
)

const crashEnv = "HEARTH_CRASH_CACHE"

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashEnv); dir != "" {
		if err := crashChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// crashRoom is less than any two of the packages need, so that the child
// unpacks and evicts all the time.
const crashRoom = 60 * blockSize

// crashChild uses one package after the other until it is killed.
func crashChild(dir string) error {
	ctx := context.Background()
	st, err := state.Open(ctx, state.Options{Dir: filepath.Join(dir, "state"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	s, err := OpenStore(ctx, st, Limits{})
	if err != nil {
		return err
	}
	c, err := OpenCache(filepath.Join(dir, "cache"), s, crashRoom, nil)
	if err != nil {
		return err
	}
	all, err := s.List(ctx)
	if err != nil {
		return err
	}
	for {
		for _, sha := range all {
			l, err := c.Acquire(ctx, sha)
			if err != nil {
				return err
			}
			l.Release()
		}
	}
}

// Killed in the middle of unpacking, again and again, the cache never gives a
// package that is not whole, and keeps nothing that nobody has.
func TestKilledWhileUnpacking(t *testing.T) {
	dir := t.TempDir()
	cache := filepath.Join(dir, "cache")
	body := func(p, f int) string {
		if f%2 == 0 {
			p = 0 // what all of them have
		}
		return strings.Repeat(fmt.Sprintf("package %d, file %d\n", p, f), 100)
	}
	open := func() (*state.Store, *Store) {
		st, err := state.Open(t.Context(), state.Options{Dir: filepath.Join(dir, "state"), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		s, err := OpenStore(t.Context(), st, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return st, s
	}
	st, s := open()
	var all []Package
	for p := range 4 {
		var items []item
		for f := range 30 {
			items = append(items, item{name: fmt.Sprintf("d%d/f%d", f%3, f), body: body(p+1, f), mode: 0o644})
		}
		all = append(all, put(t, s, archive(t, items...)))
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	for round := range 6 {
		left := killWhileUnpacking(t, dir, cache)
		t.Logf("round %d: the kill left %q", round, left)
		st, s := open()
		c := openCache(t, cache, s, 1<<30)
		for _, n := range names(t, cache) {
			if strings.HasPrefix(n, ".") {
				t.Fatalf("%s is still there", n)
			}
		}
		if n, err := c.Verify(t.Context()); err != nil || n != 0 {
			t.Fatalf("%d packages were damaged, %v", n, err)
		}
		for p, pkg := range all {
			l := acquire(t, c, pkg)
			for f := range 30 {
				holds(t, l, fmt.Sprintf("d%d/f%d", f%3, f), body(p+1, f))
			}
			l.Release()
		}
		if held, _ := c.Bytes(); held != onDisk(t, cache) {
			t.Fatalf("counts %d bytes, and the disk holds %d", held, onDisk(t, cache))
		}
		if n := len(stored(t, cache)); n != 15+4*15 {
			t.Fatalf("the file store has %d files", n)
		}
		closeCache(t, c)
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killWhileUnpacking runs the child, kills it once it unpacks, and returns what
// is half done then.
func killWhileUnpacking(t *testing.T, dir, cache string) (left []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+dir)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	half := func() (found []string) {
		ds, err := os.ReadDir(cache)
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		for _, d := range ds {
			if strings.HasPrefix(d.Name(), makingPrefix) {
				found = append(found, d.Name())
			}
		}
		return found
	}
	deadline := time.Now().Add(time.Minute)
	for len(half()) == 0 && time.Now().Before(deadline) {
		time.Sleep(200 * time.Microsecond) // it is another process, and busy
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	if complaint.Len() > 0 {
		t.Fatalf("the child complained: %s", complaint.String())
	}
	return half()
}
