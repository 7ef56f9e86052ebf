package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hearthd/hearth/bench/load"
	"github.com/hearthd/hearth/bench/node"
	"github.com/hearthd/hearth/bench/proc"
	"github.com/hearthd/hearth/bench/suite"
)

// payload is 1 KB of JSON.
var payload = []byte(`{"data":"` + string(bytes.Repeat([]byte("x"), 1024-11)) + `"}`)

// warmMemory gives the function one whole CPU, as in Lambda.
const warmMemory = 1769

// warm drives an echo function, and a reverse proxy before an echo server, with
// the same client and the same requests.
//
// On a small machine the function's own process decides what sixteen clients
// get: for every invocation AWS's client makes two HTTP requests, with Go's
// scheduler waking threads for each. So a second function, whose Go has the one
// thread that one CPU can use (GOMAXPROCS=1), is told as well, and the
// processor time that each side takes for one request.
func (b *bench) warm(ctx context.Context) (rows []suite.Row, err error) {
	echo, err := startServer(ctx, b.tools.baseline, "echo")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, echo.stop()) }()
	proxy, err := startServer(ctx, b.tools.baseline, "proxy", echo.addr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, proxy.stop()) }()

	// Sixteen environments of this size don't fit into a small machine on
	// paper, though they use a hundredth of it.
	n, err := b.Start(ctx, "warm", node.Overcommit(8)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	single := b.echoFunction("echo1")
	single.Environment = map[string]string{"GOMAXPROCS": "1"}
	if err := n.Deploy(ctx, b.echoFunction("echo"), single); err != nil {
		return nil, err
	}

	base := &subject{addr: proxy.addr, function: "echo", processes: func() (front int, back []int) {
		return proxy.cmd.Process.Pid, []int{echo.cmd.Process.Pid}
	}}
	processes := func() (front int, back []int) {
		return n.PID(), proc.Descendants(n.PID())
	}
	hearth := &subject{addr: n.Addr, function: "echo", processes: processes}
	hearth1 := &subject{addr: n.Addr, function: "echo1", processes: processes}

	if err := b.compete(ctx, n.Key, 1, base, hearth); err != nil {
		return nil, err
	}
	rows = append(rows,
		suite.AtMost("warm, 1 client: p50 to a reverse proxy's", quotient(hearth.p50, base.p50), 1.5, hearth.p50.versus(base.p50)),
		suite.AtMost("warm, 1 client: p99 to a reverse proxy's", quotient(hearth.p99, base.p99), 3, hearth.p99.versus(base.p99)))

	const many = 16
	if err := b.compete(ctx, n.Key, many, base, hearth, hearth1); err != nil {
		return rows, err
	}
	rates := func(s *subject) string {
		return fmt.Sprintf("(%.0f/s : %.0f/s)", load.Median(s.rate), load.Median(base.rate))
	}
	return append(rows,
		suite.AtLeast(fmt.Sprintf("warm, %d clients: throughput to the same", many), quotient(hearth.rate, base.rate), .6, rates(hearth)),
		suite.Told("the same, the function with GOMAXPROCS=1", "%.2f×  %s", quotient(hearth1.rate, base.rate), rates(hearth1)),
		suite.Told("the same: p50, p99", "%s, %s", suite.MS(hearth.p50.median()), suite.MS(hearth.p99.median())),
		suite.Told("the same: CPU per request, node + function", "%s  (with GOMAXPROCS=1 %s; proxy + server %s)", hearth.cpu(), hearth1.cpu(), base.cpu()),
		suite.Told("the same: CPU per request, the client", "%.0f µs", load.Median(hearth.client)),
	), nil
}

// subject is one of those that compete, and its figures round by round. Times
// are in nanoseconds, processor times in microseconds for each request.
type subject struct {
	addr, function string
	// processes are those that answer: the one in front, and those behind it.
	processes func() (front int, back []int)

	p50, p99, rate      series
	client, front, back series
}

// look is what the client, the front and the back have used.
func (s *subject) look() [3]proc.CPUTimes {
	front, back := s.processes()
	return [3]proc.CPUTimes{proc.CPUOf(os.Getpid()), proc.CPUOf(front), proc.CPUOf(back...)}
}

// series is a figure's values, one for each round.
type series []float64

func (s series) median() time.Duration { return time.Duration(load.Median(s)) }

func (s series) versus(base series) string { return suite.Versus(s.median(), base.median()) }

// quotient is the median over rounds of a round's ratio.
func quotient(a, b series) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return load.Median(ratios)
}

// cpu is what a request takes in front and behind.
func (s *subject) cpu() string {
	return fmt.Sprintf("%.0f + %.0f µs", load.Median(s.front), load.Median(s.back))
}

// compete runs the rounds, the subjects in turns, after one to warm up.
func (b *bench) compete(ctx context.Context, key load.Key, clients int, subjects ...*subject) error {
	for _, s := range subjects {
		s.p50, s.p99, s.rate, s.client, s.front, s.back = nil, nil, nil, nil, nil, nil
	}
	for round := -1; round < b.rounds; round++ {
		for _, s := range subjects {
			before := s.look()
			res, err := b.loop(ctx, key, s.addr, s.function, clients, round < 0)
			if err != nil {
				return fmt.Errorf("%s at %s: %w", s.function, s.addr, err)
			}
			if round < 0 {
				continue
			}
			s.p50 = append(s.p50, float64(res.Percentile(.5)))
			s.p99 = append(s.p99, float64(res.Percentile(.99)))
			s.rate = append(s.rate, res.PerSecond())
			after := s.look()
			for i, to := range []*series{&s.client, &s.front, &s.back} {
				*to = append(*to, float64(after[i].Since(before[i]).Microseconds())/float64(len(res.Latencies)))
			}
		}
	}
	return nil
}

// loop is one round of invocations of one function.
func (b *bench) loop(ctx context.Context, key load.Key, addr, function string, clients int, brief bool) (load.Result, error) {
	length := 3 * time.Second
	if brief || b.Quick {
		length = time.Second
	}
	res, err := load.Run(ctx, load.Options{Key: key, Addr: addr, Clients: clients, For: length, Request: node.Invocation(function, payload)})
	if err == nil {
		err = res.Check()
	}
	return res, err
}

func (b *bench) echoFunction(name string) node.Function {
	return node.Function{Name: name, Runtime: "provided.al2023", Handler: "bootstrap", Memory: warmMemory, Zip: b.tools.echo}
}
