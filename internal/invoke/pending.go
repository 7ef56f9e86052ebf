package invoke

import (
	"context"
	"sync"

	"github.com/hearthd/hearth/internal/function"
)

// pending lets invocations wait until a function is no longer being created.
// The zero value is ready for use.
type pending struct {
	mu      sync.Mutex
	waiting map[function.Key]chan struct{} // closed at the next change of the function
}

// changed is told every change of the catalog.
func (p *pending) changed(key function.Key, _ *function.View) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ch, ok := p.waiting[key]; ok {
		close(ch)
		delete(p.waiting, key)
	}
}

// wait returns the function's view once its state is not Pending; false when
// that takes too long or the function is gone.
func (p *pending) wait(ctx context.Context, catalog *function.Catalog, key function.Key) (*function.View, bool) {
	ctx, cancel := context.WithTimeout(ctx, pendingFor)
	defer cancel()
	for {
		p.mu.Lock()
		if p.waiting == nil {
			p.waiting = map[function.Key]chan struct{}{}
		}
		ch, ok := p.waiting[key]
		if !ok {
			ch = make(chan struct{})
			p.waiting[key] = ch
		}
		p.mu.Unlock()
		view, ok := catalog.Lookup(key)
		if !ok || view.Status.State != function.Pending {
			return view, ok
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return view, true
		}
	}
}
