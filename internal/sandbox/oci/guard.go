package oci

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// watermarkShare: an environment is near its limit when a sixteenth of it
	// is left.
	watermarkShare = 16
	// lookAgain is how soon a limit that is nearly filled by page cache is
	// looked at again, and looksAgain how often: the kernel takes cache back by
	// itself, and what comes in its place makes no new event.
	lookAgain  = 5 * time.Millisecond
	looksAgain = 200
)

// guard has an environment grown before its memory limit ends it, see
// [sandbox.Environment.Guard].
//
// With cgroup version 1 it takes the decision away from the kernel: its OOM
// killer is off, so that a process which reaches the limit stands still until
// the limit is raised, or until the killer is let loose again because it can't
// be. Events come by two eventfds: one when memory in use passes the watermark
// (cgroup.event_control with memory.usage_in_bytes), so that most growth
// happens while nobody stands still, and one when somebody does
// (memory.oom_control).
//
// With version 2 memory.high is the watermark: beyond it the kernel slows the
// processes down, which gives us the time to raise memory.max, and counts an
// event in memory.events.
//
// In both, growth that is refused leaves the environment to the kernel, which
// ends it at its limit as if there were no guard, until it is armed anew.
type guard struct {
	control control
	watch   *fileWatch // of version 2
	grow    func() bool

	looking sync.Mutex // held while grow runs

	mu      sync.Mutex
	armed   bool
	limit   int64
	near    *os.File // eventfds of version 1; near is another one for each limit
	stopped *os.File
	unwatch func()
	closed  bool

	wg    sync.WaitGroup
	looks atomic.Int64 // for tests
}

// arm begins to guard a cgroup with this memory limit.
func (g *guard) arm(limit int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.armed {
		return nil
	}
	if g.control.v2 {
		if g.unwatch == nil {
			unwatch, err := g.watch.add(g.control.file("memory", "memory.events"), func() { g.look() })
			if err != nil {
				return fmt.Errorf("watch memory.events: %w", err)
			}
			g.unwatch = unwatch
		}
	} else {
		if g.stopped == nil {
			f, err := g.event("memory.oom_control", "")
			if err != nil {
				return err
			}
			g.stopped = f
			g.wg.Go(func() { g.listen(f) })
		}
		if err := g.control.write("memory", "memory.oom_control", "1"); err != nil {
			return err
		}
	}
	g.armed = true
	return g.setWatermark(limit)
}

// limited follows a change of the memory limit.
func (g *guard) limited(limit int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || !g.armed {
		return nil
	}
	return g.setWatermark(limit)
}

func watermark(limit int64) int64 { return limit - limit/watermarkShare }

// setWatermark is called with mu held.
func (g *guard) setWatermark(limit int64) error {
	g.limit = limit
	mark := strconv.FormatInt(watermark(limit), 10)
	if g.control.v2 {
		return g.control.write("memory", "memory.high", mark)
	}
	f, err := g.event("memory.usage_in_bytes", mark)
	if err != nil {
		return err
	}
	if g.near != nil {
		_ = g.near.Close() // ends its listener, and its registration
	}
	g.near = f
	g.wg.Go(func() { g.listen(f) })
	return nil
}

// event registers an eventfd for events of a file of version 1.
func (g *guard) event(name, args string) (*os.File, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "eventfd of "+name)
	of, err := os.Open(g.control.file("memory", name))
	if err != nil {
		return nil, errors.Join(gone(err), f.Close())
	}
	err = g.control.write("memory", "cgroup.event_control", fmt.Sprintf("%d %d %s", fd, of.Fd(), args))
	if err = errors.Join(err, of.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("events of %s: %w", name, err), f.Close())
	}
	return f, nil
}

// listen looks at every event, until the file is closed.
func (g *guard) listen(f *os.File) {
	var buf [8]byte
	for again := 0; ; {
		_, err := f.Read(buf[:])
		switch {
		case err == nil:
			again = looksAgain
		case errors.Is(err, os.ErrDeadlineExceeded):
			again--
		default:
			return
		}
		next := time.Time{}
		if g.look() && again > 0 {
			next = time.Now().Add(lookAgain)
		}
		if f.SetReadDeadline(next) != nil {
			return
		}
	}
}

// look sees how things stand and has the environment grown where need be. It
// tells whether to look again without an event.
func (g *guard) look() (again bool) {
	g.looking.Lock()
	defer g.looking.Unlock()
	g.looks.Add(1)
	g.mu.Lock()
	armed, mark := g.armed, watermark(g.limit)
	g.mu.Unlock()
	if !armed {
		return false
	}
	used, cache, standsStill, err := g.control.pressure()
	if err != nil {
		return false // it has ended
	}
	switch {
	case standsStill || used-cache >= mark:
		if !g.grow() {
			g.disarm()
		}
		return false
	default:
		return used >= mark
	}
}

// pressure is the memory in use, how much of it is cache that the kernel takes
// back by itself, and whether a process stands still for want of memory.
func (c control) pressure() (used, cache int64, standsStill bool, err error) {
	current := "memory.usage_in_bytes"
	if c.v2 {
		current = "memory.current"
	}
	if used, err = c.readInt("memory", current); err != nil {
		return 0, 0, false, err
	}
	stat, err := os.ReadFile(c.file("memory", "memory.stat"))
	if err != nil {
		return 0, 0, false, gone(err)
	}
	if !c.v2 {
		under, err := c.readField("memory", "memory.oom_control", "under_oom")
		if err != nil {
			return 0, 0, false, err
		}
		standsStill = under > 0
	}
	return used, c.reclaimable(stat), standsStill, nil
}

// disarm leaves the environment to the kernel.
func (g *guard) disarm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = false
	// Errors mean that it has ended.
	if g.control.v2 {
		_ = g.control.write("memory", "memory.high", "max")
	} else {
		_ = g.control.write("memory", "memory.oom_control", "0")
	}
}

// close ends the guard and waits for its goroutines.
func (g *guard) close() {
	g.mu.Lock()
	g.closed, g.armed = true, false
	for _, f := range []*os.File{g.near, g.stopped} {
		if f != nil {
			_ = f.Close() // an eventfd has nothing to lose
		}
	}
	unwatch := g.unwatch
	g.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
	g.wg.Wait()
}
