package code

import (
	"fmt"
	"os"
	"path/filepath"
)

// evictLocked takes the least recently used entries out of the cache until the
// rest fits, renames them to trash, and returns what is to be removed.
func (c *Cache) evictLocked() (trash []string) {
	for c.bytes > c.max && c.idle.Len() > 0 {
		e := c.idle.Remove(c.idle.Front()).(*cached)
		e.at = nil
		delete(c.entries, e.key)
		c.bytes -= e.bytes
		if to, err := c.trash(e.key); err != nil {
			c.log.Error("can't evict a package from the code cache", "package", e.key, "err", err)
		} else {
			trash = append(trash, to)
		}
	}
	return trash
}

// trash moves a package's directory out of the way, at once and whole.
// c.mu is held, or nobody else is there yet.
func (c *Cache) trash(key string) (string, error) {
	c.trashed++
	to := filepath.Join(c.dir, fmt.Sprintf("%s%s-%d", trashPrefix, key, c.trashed))
	return to, os.Rename(filepath.Join(c.dir, key), to)
}

func (c *Cache) remove(trash []string) {
	for _, t := range trash {
		if err := removeAll(t); err != nil {
			c.log.Warn("can't remove from the code cache; the next start will", "path", t, "err", err)
		}
	}
}
