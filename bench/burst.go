package main

import (
	"context"
	"errors"

	"github.com/hearthd/hearth/bench/load"
)

// burst invokes many functions for the first time at once.
func (b *bench) burst(ctx context.Context) (rows []row, err error) {
	const clients = 32
	count := 200
	if b.quick {
		count = 20
	}
	n, err := b.start(ctx, "burst", overcommitted()...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.stop()) }()
	l := languages[0]
	runtime, _, err := n.interpreter(l.family)
	if err != nil {
		return nil, err
	}
	list, err := l.functions(runtime, "burst", count)
	if err != nil {
		return nil, err
	}
	if err := n.deploy(ctx, list...); err != nil {
		return nil, err
	}
	requests := make([]load.Request, count)
	for i, f := range list {
		requests[i] = invocation(f.Name, []byte("{}"))
	}
	res, err := load.Run(ctx, load.Options{Key: n.key, Addr: n.addr, Clients: clients, Requests: requests})
	if err != nil {
		return nil, err
	}
	failed := row{figure: "burst, 200 cold functions, 32 clients: errors", target: "0", met: res.Failed == 0, value: "none"}
	if err := res.Check(); err != nil {
		failed.value = err.Error()
	}
	return []row{failed,
		told("burst: sandboxes per second", "%.1f/s  (%d in %.1f s)", res.PerSecond(), len(res.Latencies), res.Elapsed.Seconds()),
		told("burst: p50, p99", "%s, %s", ms(res.Percentile(.5)), ms(res.Percentile(.99))),
	}, nil
}
