package function

import (
	"context"
	"time"
)

// sweep removes bodies that no record names and that are too old for their
// record to be still on its way: what crashes left behind.
func (c *Catalog) sweep(ctx context.Context) {
	type stray struct {
		name string
		rev  uint64
	}
	var strays []stray
	c.mu.RLock()
	for id, bodies := range c.bodies {
		for name, b := range bodies {
			if c.opts.Now().Sub(time.UnixMilli(b.Modified)) > strayAge {
				strays = append(strays, stray{bodyPrefix + id + "." + name, b.stored})
			}
		}
	}
	c.mu.RUnlock()
	for _, s := range strays {
		c.discard(ctx, s.name, s.rev)
	}
}
