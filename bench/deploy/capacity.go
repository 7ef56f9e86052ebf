package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/hearthd/hearth/bench/load"
	"github.com/hearthd/hearth/bench/node"
	"github.com/hearthd/hearth/bench/suite"
)

// The probe's settings. What the machine bears is a rate at which nearly all
// answers come before a caller would notice.
const (
	bearable  = 20 * time.Millisecond // p99
	firstRate = 40.
	stepUp    = 1.3
	stepDown  = .9
	tries     = 2 // of a rate, before it is given up: one may meet a hiccup
	halvings  = 3
	lowest    = 10.
)

// capacity tells what the machine bears and decides what the load is.
func (b *bench) capacity(ctx context.Context) ([]suite.Row, error) {
	_, rows, err := b.load(ctx)
	return rows, err
}

// load is the rate of requests: the one asked for, or half of what the machine
// bears, which is found out the first time and told in the rows.
func (b *bench) load(ctx context.Context) (rate float64, rows []suite.Row, err error) {
	if b.rate > 0 {
		return b.rate, nil, nil
	}
	n, err := b.Start(ctx, "capacity", node.Overcommit(8)...)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	a, err := newApp(ctx, n, "capacity", servePrevious, 0)
	if err != nil {
		return 0, nil, err
	}
	p := probe{b: b, app: a}
	if err := p.find(ctx); err != nil {
		return 0, nil, err
	}
	b.rate = math.Floor(p.confirmed / 2)
	return b.rate, []suite.Row{
		suite.Told("capacity: highest rate with a p99 below "+suite.MS(bearable), "%.0f/s  (p50 %s, p99 %s, sent late by %s)",
			p.confirmed, suite.MS(p.last.p50), suite.MS(p.last.p99), suite.MS(p.last.late)),
		suite.Told("the load of what follows: half of it", "%.0f/s", b.rate),
	}, nil
}

// probe looks for the highest rate that the machine bears: upwards until one
// is too high, then between the two, and at last for longer at the rate found,
// since a queue that grows slowly shows only then.
type probe struct {
	b         *bench
	app       *app
	last      figures
	confirmed float64
}

// figures are of one step.
type figures struct {
	p50, p99 time.Duration
	late     time.Duration // p99 of how late requests were sent: no connection was free, or no processor
	failed   int
}

func (p *probe) find(ctx context.Context) error {
	step, long := 3*time.Second, 10*time.Second
	if p.b.Quick {
		step, long = time.Second, 2*time.Second
	}
	low, high := 0., firstRate
	for ; ; high *= stepUp {
		ok, err := p.bears(ctx, high, step)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		low = high
	}
	for range halvings {
		if low == 0 {
			break
		}
		middle := math.Sqrt(low * high)
		ok, err := p.bears(ctx, middle, step)
		if err != nil {
			return err
		}
		if ok {
			low = middle
		} else {
			high = middle
		}
	}
	for rate := max(low, firstRate*stepDown); rate >= lowest; rate *= stepDown {
		ok, err := p.bears(ctx, rate, long)
		if err != nil {
			return err
		}
		if ok {
			p.confirmed = rate
			return nil
		}
	}
	return fmt.Errorf("the machine does not bear %.0f requests a second with a p99 below %s (it was %s): is it busy with something else? -rate says how many there shall be", lowest, bearable, p.last.p99)
}

// bears tries a rate.
func (p *probe) bears(ctx context.Context, rate float64, length time.Duration) (ok bool, err error) {
	for range tries {
		if p.last, err = p.step(ctx, rate, length); err != nil {
			return false, err
		}
		ok = p.last.failed == 0 && p.last.p99 <= bearable
		fmt.Fprintf(os.Stderr, "\n  %4.0f/s for %s: p50 %s, p99 %s, failed %d", rate, length, suite.MS(p.last.p50), suite.MS(p.last.p99), p.last.failed)
		if ok {
			break
		}
	}
	return ok, nil
}

func (p *probe) step(ctx context.Context, rate float64, length time.Duration) (f figures, err error) {
	s, err := load.Begin(ctx, load.Open{
		Key: p.app.n.Key, Addr: p.app.n.Addr, Clients: p.b.clients,
		Requests: []load.Request{p.app.request("")}, Due: load.Steady(rate, length), Judge: judge,
	})
	if err != nil {
		return f, err
	}
	answers, _ := s.Wait() // failures are counted
	if ctx.Err() != nil {
		return f, ctx.Err()
	}
	f.p50, f.p99 = percentile(answers, .5, took), percentile(answers, .99, took)
	f.late = percentile(answers, .99, late)
	for _, a := range answers {
		if a.Failed {
			f.failed++
		}
	}
	return f, nil
}
