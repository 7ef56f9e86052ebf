package code

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
)

// Verify reads every package in the cache, what packages share once, and unpacks
// those again that are not what they were. It returns how many were. A package that is in use is
// repaired beside: environments that run it keep the damaged files they have
// open, and those started later get the sound ones.
func (c *Cache) Verify(ctx context.Context) (repaired int, err error) {
	c.mu.Lock()
	var keys []string
	for key, e := range c.entries {
		if e.done() {
			keys = append(keys, key)
		}
	}
	c.mu.Unlock()
	sound := make(map[uint64]struct{}) // inodes
	readOnce := func(_ *manifestItem, info fs.FileInfo) bool {
		inode := info.Sys().(*syscall.Stat_t).Ino
		_, known := sound[inode]
		sound[inode] = struct{}{}
		return !known
	}
	for _, key := range keys {
		if err := ctx.Err(); err != nil {
			return repaired, err
		}
		again, e := c.verify(ctx, key, readOnce)
		if again {
			repaired++
			clear(sound) // one of them was not
		}
		err = errors.Join(err, e)
	}
	return repaired, err
}

func (c *Cache) verify(ctx context.Context, key string, read func(*manifestItem, fs.FileInfo) bool) (repaired bool, err error) {
	c.mu.Lock()
	e := c.entries[key]
	if e == nil || !e.done() || c.closed {
		c.mu.Unlock()
		return false, nil
	}
	c.leaseLocked(e) // so that it is not evicted meanwhile
	c.mu.Unlock()
	defer c.release(e)

	_, damage := c.prove(key, read)

	c.mu.Lock()
	switch {
	case c.closed:
		c.mu.Unlock()
		return false, errClosed
	case c.entries[key] != e: // somebody is at it
		c.mu.Unlock()
		return false, nil
	}
	e.unproven = false
	if damage == nil {
		c.mu.Unlock()
		return false, nil
	}
	c.log.Warn("repairing a damaged package in the code cache", "package", key, "err", damage)
	sound := c.fetchLocked(key, e)
	c.mu.Unlock()
	select {
	case <-sound.fetched:
		return sound.err == nil, sound.err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
