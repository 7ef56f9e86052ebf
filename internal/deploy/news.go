package deploy

import (
	"sync"

	"github.com/hearthd/hearth/internal/function"
)

// news wakes those who wait for a function to change. The zero value is ready
// for use.
type news struct {
	mu      sync.Mutex
	waiting map[function.Key]chan struct{} // closed at the next change of the function
}

// of returns a channel that is closed at the function's next change. Ask for
// it first, then look at the catalog.
func (n *news) of(key function.Key) <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	ch, ok := n.waiting[key]
	if !ok {
		if n.waiting == nil {
			n.waiting = map[function.Key]chan struct{}{}
		}
		ch = make(chan struct{})
		n.waiting[key] = ch
	}
	return ch
}

// changed is told every change of the catalog, once the catalog shows it.
func (n *news) changed(key function.Key) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if ch, ok := n.waiting[key]; ok {
		close(ch)
		delete(n.waiting, key)
	}
}
