package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hearthd/hearth/bench/load"
)

// payload is 1 KB of JSON.
var payload = []byte(`{"data":"` + string(bytes.Repeat([]byte("x"), 1024-11)) + `"}`)

// warmMemory gives the function one whole CPU, as in Lambda.
const warmMemory = 1769

// warm drives an echo function and a reverse proxy before an echo server with
// the same client and the same requests.
func (b *bench) warm(ctx context.Context) (rows []row, err error) {
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

	n, err := b.start(ctx, "warm")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.stop()) }()
	if err := n.deploy(ctx, b.echoFunction("echo")); err != nil {
		return nil, err
	}

	type figures struct{ p50, p99, rate []float64 }
	for _, clients := range []int{1, 16} {
		var ratio figures
		var subject, base struct{ p50, p99, rate []float64 }
		for i := -1; i < b.rounds; i++ {
			of, err := b.loop(ctx, n.key, proxy.addr, "echo", clients, i < 0)
			if err != nil {
				return rows, fmt.Errorf("baseline: %w", err)
			}
			got, err := b.loop(ctx, n.key, n.addr, "echo", clients, i < 0)
			if err != nil {
				return rows, err
			}
			if i < 0 {
				continue // warming up
			}
			for _, f := range []struct {
				ratio, subject, base *[]float64
				a, b                 float64
			}{
				{&ratio.p50, &subject.p50, &base.p50, float64(got.Percentile(.5)), float64(of.Percentile(.5))},
				{&ratio.p99, &subject.p99, &base.p99, float64(got.Percentile(.99)), float64(of.Percentile(.99))},
				{&ratio.rate, &subject.rate, &base.rate, got.PerSecond(), of.PerSecond()},
			} {
				*f.subject, *f.base, *f.ratio = append(*f.subject, f.a), append(*f.base, f.b), append(*f.ratio, f.a/f.b)
			}
		}
		both := func(a, b []float64) string {
			return versus(time.Duration(load.Median(a)), time.Duration(load.Median(b)))
		}
		if clients == 1 {
			rows = append(rows,
				atMost("warm, 1 client: p50 to a reverse proxy's", load.Median(ratio.p50), 1.5, both(subject.p50, base.p50)),
				atMost("warm, 1 client: p99 to a reverse proxy's", load.Median(ratio.p99), 3, both(subject.p99, base.p99)))
			continue
		}
		rows = append(rows,
			atLeast(fmt.Sprintf("warm, %d clients: throughput to the same", clients), load.Median(ratio.rate), .6,
				fmt.Sprintf("(%.0f/s : %.0f/s)", load.Median(subject.rate), load.Median(base.rate))),
			told(fmt.Sprintf("warm, %d clients: p50, p99", clients), "%s, %s", ms(time.Duration(load.Median(subject.p50))), ms(time.Duration(load.Median(subject.p99)))))
	}
	return rows, nil
}

// loop is one round of invocations of one function.
func (b *bench) loop(ctx context.Context, key load.Key, addr, function string, clients int, brief bool) (load.Result, error) {
	length := 3 * time.Second
	if brief || b.quick {
		length = time.Second
	}
	res, err := load.Run(ctx, load.Options{Key: key, Addr: addr, Clients: clients, For: length, Request: invocation(function, payload)})
	if err == nil {
		err = res.Check()
	}
	return res, err
}

func (b *bench) echoFunction(name string) function {
	return function{Name: name, Runtime: "provided.al2023", Handler: "bootstrap", Memory: warmMemory, Zip: b.tools.echo}
}
