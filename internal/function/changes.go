package function

import "sync"

// change is one entry of the feed.
type change struct {
	key  Key
	view *View
}

// subscription hands changes to one subscriber in its own goroutine, so that
// the catalog never waits for it and it may call the catalog.
type subscription struct {
	fn func(Key, *View)

	mu     sync.Mutex
	some   sync.Cond // signalled when queue grew or ended was set
	queue  []change
	ended  bool
	closed chan struct{} // closed when the goroutine has returned
}

// Changes calls fn after every change of a function, with the new view, or nil
// when the function was deleted, until stop is called or the catalog closed.
// Calls are made one at a time, in the order of the changes, and no change is
// left out; [Catalog.Lookup] may already show a later one. fn runs without any
// lock held and may call the catalog. What changed before Changes was called
// is not reported: subscribe first, then look at [Catalog.Pending] or
// [Catalog.All].
//
// stop returns when fn is not running and will not run again; fn must not call it.
func (c *Catalog) Changes(fn func(Key, *View)) (stop func()) {
	s := &subscription{fn: fn, closed: make(chan struct{})}
	s.some.L = &s.mu
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
		close(s.closed)
	default:
		c.subs = append(c.subs, s)
		c.feeds.Go(s.run)
	}
	return func() {
		c.mu.Lock()
		for i := range c.subs {
			if c.subs[i] == s {
				c.subs = append(c.subs[:i:i], c.subs[i+1:]...)
				break
			}
		}
		c.mu.Unlock()
		s.close()
		<-s.closed
	}
}

func (s *subscription) run() {
	defer close(s.closed)
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.ended {
			s.some.Wait()
		}
		batch := s.queue
		s.queue = nil
		s.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for _, ch := range batch {
			if s.over() {
				return
			}
			s.fn(ch.key, ch.view)
		}
	}
}

func (s *subscription) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

func (s *subscription) push(ch change) {
	s.mu.Lock()
	s.queue = append(s.queue, ch)
	s.mu.Unlock()
	s.some.Signal()
}

// close ends the subscription; what is still queued is not delivered.
func (s *subscription) close() {
	s.mu.Lock()
	s.ended = true
	s.queue = nil
	s.mu.Unlock()
	s.some.Signal()
}
