package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/hearthd/hearth/bench/load"
	"github.com/hearthd/hearth/bench/proc"
)

const (
	// warmUp is not counted: connections and environments come into being, and
	// the warming pool makes up for them.
	warmUp = 8 * time.Second
	// after is how long the aftermath of a change is counted to it.
	after = time.Second
	// providing is how long the node takes then to provide for the next change,
	// in what requests leave: neither quiet nor due to a change alone.
	providing = 4 * time.Second
	// The windows without a change are as long as those with one, within bounds.
	shortestQuiet = 2 * time.Second
	longestQuiet  = 4 * time.Second
)

// trial drives an application at a constant rate while changes are made to it.
type trial struct {
	app       *app
	qualifier string
	rate      float64
	clients   int
	changes   int
	// change makes the i-th change, from 1: release i+1 shall answer. It returns
	// when the API says that it does, and acknowledged is when the API had taken
	// the request for it.
	change func(ctx context.Context, i int) (acknowledged time.Time, err error)
	// serving is the release that shall answer after the i-th change; nil means
	// that it is i+1.
	serving func(i int) int
	// calm says that stalls are expected, and that their queues shall be gone
	// before a window without a change begins.
	calm bool
}

// window is the time of one change, counted as [load.Answer] does.
type window struct {
	from, acknowledged, done, to time.Duration
	// quiet is when nothing happens any more because of the change.
	quiet   time.Duration
	release int
}

// outcome is what a trial gave.
type outcome struct {
	rate    float64
	answers []load.Answer // in the order of their being due, without the warm-up's
	windows []window
	failure error   // the first failed answer's
	busy    float64 // share of the machine's processors' time
}

func (t trial) run(ctx context.Context) (o outcome, err error) {
	working, resting := proc.Busy()
	s, err := load.Begin(ctx, load.Open{
		Key: t.app.n.Key, Addr: t.app.n.Addr, Clients: t.clients,
		Requests: []load.Request{t.app.request(t.qualifier)}, Due: load.Steady(t.rate, 0), Judge: judge,
	})
	if err != nil {
		return o, err
	}
	o.rate = t.rate
	o.windows, err = t.drive(ctx, s)
	o.answers, o.failure = s.End()
	o.busy = proc.BusySince(working, resting)
	if err != nil {
		return o, err
	}
	first, _ := slices.BinarySearchFunc(o.answers, warmUp, func(a load.Answer, at time.Duration) int { return int(a.Due - at) })
	o.answers = o.answers[first:]
	return o, nil
}

// drive makes the changes, with quiet times before, between and behind them.
func (t trial) drive(ctx context.Context, s *load.Stream) (windows []window, err error) {
	if err := rest(ctx, warmUp); err != nil {
		return nil, err
	}
	quiet := shortestQuiet
	for i := 1; i <= t.changes; i++ {
		if err := rest(ctx, quiet); err != nil {
			return windows, err
		}
		w := window{from: s.Since(), release: i + 1}
		if t.serving != nil {
			w.release = t.serving(i)
		}
		acknowledged, err := t.change(ctx, i)
		if err != nil {
			return windows, fmt.Errorf("change %d of %d: %w", i, t.changes, err)
		}
		w.acknowledged, w.done = acknowledged.Sub(s.Began), s.Since()
		aftermath := after
		if t.calm {
			aftermath += 2 * (w.done - w.from) // at half of the capacity, a queue lasts as long as the stall
		}
		if err := rest(ctx, aftermath); err != nil {
			return windows, err
		}
		w.to = s.Since()
		if err := rest(ctx, providing); err != nil {
			return windows, err
		}
		w.quiet = s.Since()
		windows = append(windows, w)
		quiet = min(max(w.to-w.from, shortestQuiet), longestQuiet)
	}
	return windows, rest(ctx, quiet)
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// parts divides the answers by when they were due: while something changed,
// while the node provided for the next change, and while nothing happened.
func (o outcome) parts() (during, behind, quiet []load.Answer) {
	next := 0
	for _, a := range o.answers {
		for next < len(o.windows) && a.Due >= o.windows[next].quiet {
			next++
		}
		switch {
		case next == len(o.windows) || a.Due < o.windows[next].from:
			quiet = append(quiet, a)
		case a.Due < o.windows[next].to:
			during = append(during, a)
		default:
			behind = append(behind, a)
		}
	}
	return during, behind, quiet
}

// switching is the answers from the request for a change until shortly after
// it was done: what parts calls during without the aftermath.
func (o outcome) switching() (answers []load.Answer) {
	next := 0
	for _, a := range o.answers {
		for next < len(o.windows) && a.Due >= o.windows[next].done+100*time.Millisecond {
			next++
		}
		if next < len(o.windows) && a.Due >= o.windows[next].from {
			answers = append(answers, a)
		}
	}
	return answers
}

// wrong counts the requests that were sent after a change was done and answered
// by anything else than what it led to: by what was before, or, once the next
// change was under way, by something older still.
func (o outcome) wrong() (count int) {
	next, serving := 0, 0 // 0: nothing is known yet
	for _, a := range bySent(o.answers) {
		for next < len(o.windows) && a.Sent() > o.windows[next].done {
			serving = o.windows[next].release
			next++
		}
		if a.Failed || serving == 0 {
			continue
		}
		release := mark(a.Mark).release()
		changing := next < len(o.windows) && a.Sent() >= o.windows[next].from
		if release < serving || release != serving && !changing {
			count++
		}
	}
	return count
}

func bySent(answers []load.Answer) []load.Answer {
	return slices.SortedFunc(slices.Values(answers), func(a, b load.Answer) int { return int(a.Sent() - b.Sent()) })
}

// firstAnswers is, for each change, the time from its being acknowledged to the
// first answer by the new release: 0 when that came earlier.
func (o outcome) firstAnswers() []time.Duration {
	first := map[int]time.Duration{}
	for _, a := range o.answers {
		r := mark(a.Mark).release()
		if at, ok := first[r]; !a.Failed && (!ok || a.Done() < at) {
			first[r] = a.Done()
		}
	}
	var took []time.Duration
	for _, w := range o.windows {
		at, ok := first[w.release]
		if !ok {
			at = math.MaxInt64 // it never answered
		}
		took = append(took, max(0, at-w.acknowledged))
	}
	slices.Sort(took)
	return took
}

// durations is how long the changes took, sorted.
func (o outcome) durations() (took []time.Duration) {
	for _, w := range o.windows {
		took = append(took, w.done-w.from)
	}
	slices.Sort(took)
	return took
}

func took(a load.Answer) time.Duration { return a.Took }
func late(a load.Answer) time.Duration { return a.Late }

// percentile is of something about the answers that did not fail.
func percentile(answers []load.Answer, p float64, of func(load.Answer) time.Duration) time.Duration {
	var values []time.Duration
	for _, a := range answers {
		if !a.Failed {
			values = append(values, of(a))
		}
	}
	slices.Sort(values)
	return load.Percentile(values, p)
}
