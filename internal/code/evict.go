package code

import (
	"fmt"
	"os"
	"path/filepath"
)

// trash is what is out of the cache and still to be removed from the disk.
type trash struct {
	trees []string
	files []*sharedFile // those that have no package by then
}

// evictLocked takes the least recently used entries out of the cache until the
// rest fits, renames them to trash, and returns what is to be removed. A package
// that shares all of its files makes little room; the next one goes then too.
func (c *Cache) evictLocked() (out trash) {
	for c.bytes+c.files.held() > c.max && c.idle.Len() > 0 {
		e := c.idle.Remove(c.idle.Front()).(*cached)
		e.at = nil
		delete(c.entries, e.key)
		c.bytes -= e.bytes
		c.files.drop(e.files)
		out.files = append(out.files, e.files...)
		if to, err := c.discard(e.key); err != nil {
			c.log.Error("can't evict a package from the code cache", "package", e.key, "err", err)
		} else {
			out.trees = append(out.trees, to)
		}
	}
	return out
}

// discard moves a package's directory out of the way, at once and whole.
// c.mu is held, or nobody else is there yet.
func (c *Cache) discard(key string) (string, error) {
	c.trashed++
	to := filepath.Join(c.dir, fmt.Sprintf("%s%s-%d", trashPrefix, key, c.trashed))
	return to, os.Rename(filepath.Join(c.dir, key), to)
}

func (c *Cache) remove(out trash) {
	for _, t := range out.trees {
		if err := removeAll(t); err != nil {
			c.log.Warn("can't remove from the code cache; the next start will", "path", t, "err", err)
		}
	}
	c.files.sweep(out.files)
}
