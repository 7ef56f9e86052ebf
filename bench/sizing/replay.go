package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hearthd/hearth/bench/load"
	"github.com/hearthd/hearth/bench/node"
	"github.com/hearthd/hearth/bench/proc"
	"github.com/hearthd/hearth/bench/suite"
)

// sampleEvery is how often the environments are looked at.
const sampleEvery = 2 * time.Second

// sample is what the environments of one twin held at a moment, in GB.
type sample struct {
	at              time.Duration
	allocated, used [twins]float64
}

// result is what a replay gave.
type result struct {
	executions [twins][][]execution // by function, in the order of their arrival
	samples    []sample
	lost       int     // requests without an answer
	busy       float64 // share of the machine's processors' time
	err        error
}

// replay deploys the twins, sends the arrivals, and makes rows and the plot.
func (b *bench) replay(ctx context.Context) (rows []suite.Row, err error) {
	n, err := b.Start(ctx, "sizing", b.options()...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	functions, err := b.functions(n)
	if err != nil {
		return nil, err
	}
	if err := n.Deploy(ctx, functions...); err != nil {
		return nil, err
	}
	r, err := b.send(ctx, n)
	if err != nil {
		return nil, err
	}
	if b.plot != "" {
		if err := r.draw(b.plot); err != nil {
			return nil, err
		}
	}
	return b.rows(r), nil
}

// options lets all twins reserve what their owners ask for, which is many times
// what they use, so that no environment ends for want of room; and it lets
// sizing decide as soon as the threshold is reached.
func (b *bench) options() []string {
	return append(node.Overcommit(32), "--sizing-window="+b.window.String())
}

// functions are the twins of the whole workload.
func (b *bench) functions(n *node.Node) (list []node.Function, err error) {
	runtimes := map[string]string{}
	for _, e := range workload {
		if runtimes[e.family()] == "" {
			if runtimes[e.family()], _, err = n.Interpreter(e.family()); err != nil {
				return nil, err
			}
		}
		files, err := e.files()
		if err != nil {
			return nil, err
		}
		zip, err := node.Zip(files)
		if err != nil {
			return nil, err
		}
		for twin := range twins {
			list = append(list, node.Function{
				Name: e.name() + suffix[twin], Runtime: runtimes[e.family()], Handler: e.handler(), Memory: e.asked, Zip: zip, Tags: b.tags(twin),
			})
		}
	}
	return list, nil
}

// tags are the owner's settings. There is no hearth:retry-on-oom among them:
// what would be tried again fails here, and is counted.
func (b *bench) tags(twin int) map[string]string {
	if twin == off {
		return map[string]string{"hearth:sizing": "off"}
	}
	return map[string]string{
		"hearth:sizing": "apply", "hearth:sizing-goal": "speed",
		"hearth:sizing-threshold": strconv.Itoa(b.threshold),
	}
}

// settings tells what of the platform is not as it is by default.
func (b *bench) settings() string {
	var all []string
	for tag, value := range b.tags(apply) {
		all = append(all, tag+"="+value)
	}
	slices.Sort(all)
	return strings.Join(append(all, b.options()...), " ")
}

// send replays the arrivals and looks at the environments meanwhile.
func (b *bench) send(ctx context.Context, n *node.Node) (r result, err error) {
	list := arrivals(b.seed, b.rate, b.duration)
	o := load.Open{
		Key: n.Key, Addr: n.Addr, Clients: b.clients, Requests: make([]load.Request, len(list)),
		Due: func(i int64) (time.Duration, int, bool) {
			if i >= int64(len(list)) {
				return 0, 0, false
			}
			return list[i].at, int(i), true
		},
		Keep: []string{"x-amz-log-result"},
	}
	for i, a := range list {
		o.Requests[i] = a.request()
	}
	var mu sync.Mutex
	var heard []execution // an answer's mark is its place in here
	o.Judge = func(c *load.Conn, status int, _ time.Time) (uint64, error) {
		if status != 200 {
			return 0, fmt.Errorf("status %d: %.300s", status, c.Body)
		}
		x, err := parseReport(c.Kept(0))
		if err != nil {
			return 0, err
		}
		if c.FunctionError {
			x.fail(string(c.Body[:min(len(c.Body), 500)]))
		}
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, x)
		return uint64(len(heard) - 1), nil
	}
	working, resting := proc.Busy()
	s, err := load.Begin(ctx, o)
	if err != nil {
		return r, err
	}
	if r.samples, err = b.watch(ctx, n, s); err != nil {
		s.End() //nolint:errcheck // there is a better reason
		return r, err
	}
	answers, err := s.Wait()
	r.busy, r.err = proc.BusySince(working, resting), err
	for twin := range twins {
		r.executions[twin] = make([][]execution, len(workload))
	}
	for _, a := range answers {
		if a.Failed {
			r.lost++
			continue
		}
		at := list[a.Request]
		of := &r.executions[at.twin][at.function]
		*of = append(*of, heard[a.Mark])
	}
	return r, ctx.Err()
}

// watch looks at the environments until the last arrival is due.
func (b *bench) watch(ctx context.Context, n *node.Node, s *load.Stream) (samples []sample, err error) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for s.Since() < b.duration {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return samples, ctx.Err()
		}
		seen := sample{at: s.Since()}
		_, err := n.Environments(func(e node.Environment) bool {
			for twin := range twins {
				if strings.HasSuffix(e.Function, suffix[twin]) {
					seen.allocated[twin] += float64(e.MemoryMB) / 1024
					seen.used[twin] += float64(e.UsedBytes) / (1 << 30)
				}
			}
			return true
		})
		if err != nil {
			return samples, err
		}
		samples = append(samples, seen)
	}
	return samples, nil
}
