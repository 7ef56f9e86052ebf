package code

import (
	"context"
	"errors"
)

// Verify reads every package in the cache and unpacks those again that are
// not what they were. It returns how many were. A package that is in use is
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
	for _, key := range keys {
		if err := ctx.Err(); err != nil {
			return repaired, err
		}
		again, e := c.verify(key)
		if again {
			repaired++
		}
		err = errors.Join(err, e)
	}
	return repaired, err
}

func (c *Cache) verify(key string) (repaired bool, err error) {
	c.mu.Lock()
	e := c.entries[key]
	if e == nil || !e.done() || c.ctx.Err() != nil {
		c.mu.Unlock()
		return false, nil
	}
	c.leaseLocked(e) // so that it is not evicted meanwhile
	c.mu.Unlock()
	defer c.release(e)

	bytes, err := c.prove(key, true)
	if err != nil {
		if c.ctx.Err() != nil {
			return false, c.ctx.Err()
		}
		c.log.Warn("repairing a damaged package in the code cache", "package", key, "err", err)
		if bytes, err = c.fetch(key); err != nil {
			return false, err
		}
		repaired = true
	}
	c.mu.Lock()
	c.bytes += bytes - e.bytes
	e.bytes = bytes
	e.unproven = false
	c.mu.Unlock()
	return repaired, nil
}
