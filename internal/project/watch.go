package project

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// quiet is how long nothing happens before what happened is a change: a
	// save is several steps (truncate, write, rename), and several files may be
	// saved together.
	quiet = 12 * time.Millisecond
	// trusted is how far the time that a file says it was changed may lie back:
	// one that was moved here or unpacked says when that was elsewhere.
	trusted = 2 * time.Second
)

// Change is what was saved at about the same time.
type Change struct {
	// Files are relative to the project, with slashes, in their order. Some may
	// be gone. There are none when so much happened that it was not noted.
	Files []string
	// Saved is when the last of them was.
	Saved time.Time
}

// Watcher watches the files of a directory that would be packed.
type Watcher struct {
	dir     string
	ignores patterns
	notify  *fsnotify.Watcher

	files []string
	saved time.Time // zero: nothing changed
}

// Watch begins to watch a directory; what is saved from now on Run tells.
func Watch(dir string) (*Watcher, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", dir, explainWatch(err))
	}
	w := &Watcher{dir: dir, notify: notify}
	if w.ignores, err = readIgnores(dir); err == nil {
		err = w.add(dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("watch: %w", err), notify.Close())
	}
	return w, nil
}

// Close ends the watch. Run must have returned.
func (w *Watcher) Close() error { return w.notify.Close() }

// Run calls f for each change, until ctx ends or f fails; that error it
// returns. What is saved while f runs is one change, and f is called for it next.
func (w *Watcher) Run(ctx context.Context, f func(Change) error) error {
	// f has a goroutine of its own, so that the kernel's queue is emptied and
	// changes have their time while it runs.
	changes, done := make(chan Change), make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for c := range changes {
			if err := f(c); err != nil {
				done <- err
				cancel()
				return
			}
		}
		done <- nil
	}()
	err := w.gather(ctx, changes)
	close(changes)
	failed := <-done
	cancel()
	if failed != nil {
		return failed
	}
	return err
}

// gather turns what the kernel says into changes.
func (w *Watcher) gather(ctx context.Context, changes chan<- Change) error {
	timer := time.NewTimer(0)
	<-timer.C
	var ready chan<- Change // changes, once what happened is a change
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-w.notify.Events:
			if !ok {
				return errors.New("watch: the watcher was closed")
			}
			changed, err := w.event(e, time.Now())
			if err != nil {
				return fmt.Errorf("watch: %w", err)
			}
			if changed {
				ready = nil
				timer.Reset(quiet)
			}
		case err := <-w.notify.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watch: %w", explainWatch(err))
			}
			// Nobody knows what happened: begin anew, and look at everything.
			if err := w.add(w.dir); err != nil {
				return fmt.Errorf("watch: %w", err)
			}
			w.files, w.saved, ready = nil, time.Now(), nil
			timer.Reset(quiet)
		case <-timer.C:
			ready = changes
		case ready <- Change{Files: w.files, Saved: w.saved}:
			w.files, w.saved, ready = nil, time.Time{}, nil
		}
	}
}

// event notes what has changed, if it belongs to the package.
func (w *Watcher) event(e fsnotify.Event, now time.Time) (changed bool, err error) {
	if e.Op == fsnotify.Chmod {
		return false, nil // the time of the last look is one as well
	}
	name, err := filepath.Rel(w.dir, e.Name)
	if err != nil || name == "." {
		return false, err
	}
	name = filepath.ToSlash(name)
	if name == ignoreFile {
		// One that is half written is read again when it is whole.
		if ignores, err := readIgnores(w.dir); err == nil {
			w.ignores = ignores
			if err := w.add(w.dir); err != nil {
				return false, err
			}
		}
		w.note(name, now)
		return true, nil
	}
	info, err := os.Lstat(e.Name)
	switch {
	case err != nil && w.ignored(name, false), err == nil && w.ignored(name, info.IsDir()):
		return false, nil
	case err == nil && info.IsDir():
		if !e.Has(fsnotify.Create) {
			return false, nil
		}
		// What was put into it before it was watched has no event.
		if err := w.add(e.Name); err != nil {
			return false, err
		}
	case err == nil:
		if at := info.ModTime(); at.Before(now) && now.Sub(at) < trusted {
			now = at
		}
	}
	w.note(name, now)
	return true, nil
}

func (w *Watcher) note(name string, at time.Time) {
	if at.After(w.saved) {
		w.saved = at
	}
	if i, ok := slices.BinarySearch(w.files, name); !ok {
		w.files = slices.Insert(w.files, i, name)
	}
}

// ignored tells whether a path or one of its parents is left out.
func (w *Watcher) ignored(name string, dir bool) bool {
	for i := range len(name) {
		if name[i] == '/' && w.ignores.ignored(name[:i], true) {
			return true
		}
	}
	return w.ignores.ignored(name, dir)
}

// add watches a directory and those below it; one that is watched already is
// watched on.
func (w *Watcher) add(top string) error {
	return filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != w.dir {
			return nil // it went meanwhile
		}
		if err != nil || !entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(w.dir, path)
		if err != nil {
			return err
		}
		if name != "." && w.ignores.ignored(filepath.ToSlash(name), true) {
			return fs.SkipDir
		}
		if err := w.notify.Add(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return explainWatch(err)
		}
		return nil
	})
}

// explainWatch says what to do when the kernel watches no more.
func explainWatch(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: the directory has more subdirectories than may be watched; leave some out (%s), or raise fs.inotify.max_user_watches", err, ignoreFile)
	case errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("%w: too many programs of this user watch files; raise fs.inotify.max_user_instances", err)
	}
	return err
}
