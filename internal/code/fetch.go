package code

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// fetched is what a fetch made.
type fetched struct {
	bytes int64 // without shared files
	files []*sharedFile
}

// fetchLocked puts a new entry for key in the place of prev, which may be nil,
// and has it made: from what prev left, when that was not compared with its
// manifest yet and is sound, or else from the store.
func (c *Cache) fetchLocked(key string, prev *cached) *cached {
	e := &cached{key: key, fetched: make(chan struct{})}
	if prev != nil {
		e.bytes, e.files, e.noted = prev.bytes, prev.files, prev.noted
		if prev.at != nil {
			c.idle.Remove(prev.at)
			prev.at = nil
		}
	}
	c.entries[key] = e
	c.work.Go(func() {
		made, err := fetched{e.bytes, e.files}, errUnproven
		if prev != nil && prev.unproven {
			if made.bytes, err = c.prove(key, c.readOthers); err != nil {
				c.log.Warn("unpacking a damaged package again", "package", key, "err", err)
			}
		}
		var dropped []*sharedFile
		if err != nil {
			dropped = e.files
			made, err = c.fetch(key, prev)
			c.files.drop(dropped)
		}
		c.mu.Lock()
		c.bytes += made.bytes - e.bytes
		e.bytes, e.files, e.err = made.bytes, made.files, err
		if err != nil {
			delete(c.entries, key)
		} else if e.noted.IsZero() {
			e.noted = time.Now()
		}
		close(e.fetched)
		if e.leases == 0 && err == nil {
			e.at = c.idle.PushBack(e)
		}
		out := c.evictLocked()
		c.mu.Unlock()
		out.files = append(out.files, dropped...)
		c.remove(out)
	})
	return e
}

// prove compares a package's directory with its manifest: names, types, sizes,
// and the contents of those files that read says so of. It reads everything
// when the machine was booted since and may have lost what was not synced.
func (c *Cache) prove(key string, read func(*manifestItem, fs.FileInfo) bool) (bytes int64, err error) {
	at := filepath.Join(c.dir, key)
	m, err := readManifest(filepath.Join(at, manifestName))
	if err != nil {
		return 0, err
	}
	if m.Boot != c.boot {
		read = readAll
	}
	if err := m.compare(c.ctx, filepath.Join(at, taskName), read); err != nil {
		return 0, err
	}
	if m.Boot != c.boot {
		m.Boot = c.boot
		if err := writeManifest(filepath.Join(at, manifestName), m); err != nil {
			return 0, err
		}
	}
	return m.Bytes, nil
}

func readAll(*manifestItem, fs.FileInfo) bool { return true }

// readOthers has a file read unless it is the file store's: if that was ever
// found damaged there is another one in its place, and this one may be it.
func (c *Cache) readOthers(item *manifestItem, info fs.FileInfo) bool {
	if !item.shared() {
		return false
	}
	key, err := item.key()
	if err != nil {
		return true
	}
	stored, err := os.Lstat(c.files.path(key))
	return err != nil || !os.SameFile(stored, info)
}

// fetch unpacks a package from the store beside its place, and moves it there
// when it is complete. What prev has in its place is damaged, and makes room.
func (c *Cache) fetch(key string, prev *cached) (_ fetched, err error) {
	making, err := os.MkdirTemp(c.dir, makingPrefix)
	if err != nil {
		return fetched{}, err
	}
	sharing := &sharing{files: c.files, spare: filepath.Join(making, "link")}
	defer func() {
		if err != nil {
			c.files.drop(sharing.held)
			c.remove(trash{trees: []string{making}, files: sharing.held})
		}
	}()
	archive := filepath.Join(making, "package.zip")
	if err := c.download(key, archive); err != nil {
		return fetched{}, err
	}
	task := filepath.Join(making, taskName)
	if err := os.Mkdir(task, 0o700); err != nil {
		return fetched{}, err
	}
	m, err := unpackArchive(c.ctx, archive, task, c.store.limits, sharing.share)
	if err != nil {
		return fetched{}, err
	}
	m.Boot = c.boot
	if err := errors.Join(
		os.Remove(archive),
		writeManifest(filepath.Join(making, manifestName), m),
		os.Chmod(making, 0o711),
	); err != nil {
		return fetched{}, err
	}
	old, err := c.place(key, making, prev)
	if err != nil {
		return fetched{}, err
	}
	c.remove(trash{trees: old})
	c.suspect(key, sharing.replaced)
	return fetched{m.Bytes, sharing.held}, nil
}

// place moves a complete directory to where key's belongs, and what is there
// to the trash, from where it may be removed unless a lease on prev holds it.
func (c *Cache) place(key, making string, prev *cached) (trees []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, err := c.discard(key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case prev != nil && prev.leases > 0:
		prev.trash = old
	default:
		trees = []string{old}
	}
	return trees, os.Rename(making, filepath.Join(c.dir, key))
}

// suspect has every other package verified that has one of the files, which
// were found damaged.
func (c *Cache) suspect(key string, damaged []*sharedFile) {
	if len(damaged) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for other, e := range c.entries {
		has := func(f *sharedFile) bool { return slices.Contains(e.files, f) }
		if other == key || !e.done() || !slices.ContainsFunc(damaged, has) {
			continue
		}
		c.work.Go(func() {
			if _, err := c.verify(c.ctx, other, readAll); err != nil && c.ctx.Err() == nil {
				c.log.Error("can't repair a package in the code cache", "package", other, "err", err)
			}
		})
	}
}

// download copies a package's archive to a file.
func (c *Cache) download(key, to string) error {
	sha, err := base64Digest(key)
	if err != nil {
		return err
	}
	r, err := c.store.Get(c.ctx, sha)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
