package code

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// fetchLocked puts a new entry for key in the place of prev, which may be nil,
// and has it made: from what prev left, when that was not compared with its
// manifest yet and is sound, or else from the store.
func (c *Cache) fetchLocked(key string, prev *cached) *cached {
	e := &cached{key: key, fetched: make(chan struct{})}
	if prev != nil {
		e.bytes, e.noted = prev.bytes, prev.noted
		if prev.at != nil {
			c.idle.Remove(prev.at)
			prev.at = nil
		}
	}
	c.entries[key] = e
	c.work.Go(func() {
		bytes, err := int64(0), errUnproven
		if prev != nil && prev.unproven {
			if bytes, err = c.prove(key, false); err != nil {
				c.log.Warn("unpacking a damaged package again", "package", key, "err", err)
			}
		}
		if err != nil {
			bytes, err = c.fetch(key, prev)
		}
		c.mu.Lock()
		c.bytes += bytes - e.bytes
		e.bytes, e.err = bytes, err
		if err != nil {
			delete(c.entries, key)
		} else if e.noted.IsZero() {
			e.noted = time.Now()
		}
		close(e.fetched)
		if e.leases == 0 && err == nil {
			e.at = c.idle.PushBack(e)
		}
		trash := c.evictLocked()
		c.mu.Unlock()
		c.remove(trash)
	})
	return e
}

// prove compares a package's directory with its manifest: names, types and
// sizes, and the contents too when asked to, or when the machine was booted
// since and may have lost what was not synced.
func (c *Cache) prove(key string, thoroughly bool) (bytes int64, err error) {
	at := filepath.Join(c.dir, key)
	m, err := readManifest(filepath.Join(at, manifestName))
	if err != nil {
		return 0, err
	}
	if err := m.compare(c.ctx, filepath.Join(at, taskName), thoroughly || m.Boot != c.boot); err != nil {
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

// fetch unpacks a package from the store beside its place, and moves it there
// when it is complete. What prev has in its place is damaged, and makes room.
func (c *Cache) fetch(key string, prev *cached) (bytes int64, err error) {
	making, err := os.MkdirTemp(c.dir, makingPrefix)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			c.remove([]string{making})
		}
	}()
	archive := filepath.Join(making, "package.zip")
	if err := c.download(key, archive); err != nil {
		return 0, err
	}
	task := filepath.Join(making, taskName)
	if err := os.Mkdir(task, 0o700); err != nil {
		return 0, err
	}
	m, err := unpackArchive(c.ctx, archive, task, c.store.limits)
	if err != nil {
		return 0, err
	}
	m.Boot = c.boot
	if err := errors.Join(
		os.Remove(archive),
		writeManifest(filepath.Join(making, manifestName), m),
		os.Chmod(making, 0o711),
	); err != nil {
		return 0, err
	}
	old, err := c.place(key, making, prev)
	c.remove(old)
	return m.Bytes, err
}

// place moves a complete directory to where key's belongs, and what is there
// to the trash, from where it may be removed unless a lease on prev holds it.
func (c *Cache) place(key, making string, prev *cached) (trash []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, err := c.trash(key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case prev != nil && prev.leases > 0:
		prev.trash = old
	default:
		trash = []string{old}
	}
	return trash, os.Rename(making, filepath.Join(c.dir, key))
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
