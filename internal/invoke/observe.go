package invoke

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

// Observation is how one invocation of an observed function went.
type Observation struct {
	// Qualifier is what the caller asked for, Version what answered.
	Qualifier, Version string
	FunctionID         string
	// Began is when the invocation was given to its environment.
	Began    time.Time
	Duration time.Duration
	// Peak is the most memory the environment used, in bytes; 0 when unknown.
	Peak int64
	// First is true for an environment's first invocation, which is often the
	// slowest.
	First bool
	// Failed says that the answer was an error of the function's, TimedOut that
	// it was a time-out, which is one of those.
	Failed, TimedOut bool
	// Repeated says that the caller does not see that end: it is tried again
	// with more memory.
	Repeated bool
}

// observers are those who want to know how invocations of some functions went.
// The zero value is ready for use, and as long as nobody observes anything it
// costs an invocation one atomic load.
type observers struct {
	mu   sync.Mutex                                             // for changes of list
	list atomic.Pointer[map[function.Key][]*func(*Observation)] // copied on write; nil when empty
}

// Observe has f called after every invocation of the function that ran, well
// or badly, until stop is called. f is called by many goroutines at a time,
// must be quick, and doesn't keep what it gets.
func (i *Invoker) Observe(key function.Key, f func(*Observation)) (stop func()) {
	o := &i.observers
	o.change(func(m map[function.Key][]*func(*Observation)) { m[key] = append(slices.Clip(m[key]), &f) })
	return func() {
		o.change(func(m map[function.Key][]*func(*Observation)) {
			m[key] = slices.DeleteFunc(slices.Clone(m[key]), func(g *func(*Observation)) bool { return g == &f })
			if len(m[key]) == 0 {
				delete(m, key)
			}
		})
	}
}

func (o *observers) change(edit func(map[function.Key][]*func(*Observation))) {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := map[function.Key][]*func(*Observation){}
	if have := o.list.Load(); have != nil {
		next = maps.Clone(*have)
	}
	edit(next)
	if len(next) == 0 {
		o.list.Store(nil)
		return
	}
	o.list.Store(&next)
}

// tell calls the observers of the function, if there are any; what makes the
// observation only when it is needed.
func (o *observers) tell(key function.Key, what func() Observation) {
	list := o.list.Load()
	if list == nil {
		return
	}
	observing := (*list)[key]
	if len(observing) == 0 {
		return
	}
	seen := what()
	for _, f := range observing {
		(*f)(&seen)
	}
}
