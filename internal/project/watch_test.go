package project

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// watched is a directory that is being watched.
type watched struct {
	*testing.T
	dir     string
	changes chan Change
}

func watch(t *testing.T, files map[string]string) *watched {
	t.Helper()
	w := &watched{T: t, dir: t.TempDir(), changes: make(chan Change)}
	for name, content := range files {
		w.save(name, content)
	}
	watcher, err := Watch(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- watcher.Run(ctx, func(c Change) error {
			select {
			case w.changes <- c:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if err := watcher.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// save writes a file in one step, as editors do.
func (w *watched) save(name, content string) {
	w.Helper()
	at := filepath.Join(w.dir, name)
	fresh := filepath.Join(w.TempDir(), "fresh")
	err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(fresh, []byte(content), 0o600), os.Rename(fresh, at))
	if err != nil {
		w.Fatal(err)
	}
}

// expect waits for a change of the file, and returns all files that changed
// until then.
func (w *watched) expect(name string) (all []string) {
	w.Helper()
	deadline := time.After(time.Minute)
	for !slices.Contains(all, name) {
		select {
		case c := <-w.changes:
			if since := time.Since(c.Saved); since < 0 || since > time.Minute {
				w.Errorf("%v were saved %v ago", c.Files, since)
			}
			all = append(all, c.Files...)
		case <-deadline:
			w.Fatalf("no change of %s, but of %q", name, all)
		}
	}
	return all
}

func TestWatchTellsWhatWasSaved(t *testing.T) {
	w := watch(t, map[string]string{"app.py": "1", "lib/deep/module.py": "1"})
	w.save("app.py", "2")
	w.expect("app.py")
	w.save("lib/deep/module.py", "2")
	w.expect("lib/deep/module.py")

	// A file that is written where it stands.
	if err := os.WriteFile(filepath.Join(w.dir, "app.py"), []byte("3"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.expect("app.py")
	if err := os.Remove(filepath.Join(w.dir, "lib/deep/module.py")); err != nil {
		t.Fatal(err)
	}
	w.expect("lib/deep/module.py")
}

func TestWatchFollowsNewDirectories(t *testing.T) {
	w := watch(t, map[string]string{"app.py": "1"})
	// With what is in it, in one step.
	outside := filepath.Join(t.TempDir(), "package")
	if err := errors.Join(os.MkdirAll(filepath.Join(outside, "inner"), 0o755), os.Rename(outside, filepath.Join(w.dir, "package"))); err != nil {
		t.Fatal(err)
	}
	w.expect("package")
	w.save("package/inner/module.py", "1")
	w.expect("package/inner/module.py")
}

func TestWatchLeavesOutWhatIsNotPacked(t *testing.T) {
	w := watch(t, map[string]string{"app.py": "1", ".git/HEAD": "1", "data/one": "1", ".hearthignore": "data/\n"})
	for _, name := range []string{".git/HEAD", "data/one", "__pycache__/app.pyc", "app.py~", ".app.py.swp", "4913"} {
		w.save(name, "2")
	}
	w.save("app.py", "2")
	all := w.expect("app.py")
	for _, name := range all {
		if name != "app.py" {
			t.Errorf("%s was told of", name)
		}
	}

	// The patterns may change.
	w.save(".hearthignore", "other/\n")
	w.expect(".hearthignore")
	w.save("data/one", "3")
	w.expect("data/one")
}

// What is saved while a change is worked on is the next change.
func TestWatchMissesNothing(t *testing.T) {
	dir := t.TempDir()
	save := func(names ...string) {
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Error(err)
			}
		}
	}
	watcher, err := Watch(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close()
	save("first")
	missing := map[string]bool{"first": true, "a": true, "b": true}
	done := errors.New("done")
	err = watcher.Run(t.Context(), func(c Change) error {
		if missing["first"] {
			save("b", "a", "b")
		}
		if !slices.IsSorted(c.Files) {
			t.Errorf("told of %q", c.Files)
		}
		for _, name := range c.Files {
			delete(missing, name)
		}
		if len(missing) == 0 {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Fatal(err)
	}
}
