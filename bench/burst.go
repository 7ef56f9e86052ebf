package main

import (
	"context"
	"errors"

	"github.com/hearthd/hearth/bench/load"
	"github.com/hearthd/hearth/bench/node"
	"github.com/hearthd/hearth/bench/suite"
)

// burst invokes many functions for the first time at once.
func (b *bench) burst(ctx context.Context) (rows []suite.Row, err error) {
	const clients = 32
	count := 200
	if b.Quick {
		count = 20
	}
	n, err := b.Start(ctx, "burst", node.Overcommit(8)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	d, err := languages[0].deploy(ctx, n, "burst", count)
	if err != nil {
		return nil, err
	}
	res, err := load.Run(ctx, load.Options{Key: n.Key, Addr: n.Addr, Clients: clients, Requests: d.once()})
	if err != nil {
		return nil, err
	}
	failed := suite.Row{Figure: "burst, 200 cold functions, 32 clients: errors", Target: "0", Met: res.Failed == 0, Value: "none"}
	if err := res.Check(); err != nil {
		failed.Value = err.Error()
	}
	return []suite.Row{failed,
		suite.Told("burst: sandboxes per second", "%.1f/s  (%d in %.1f s)", res.PerSecond(), len(res.Latencies), res.Elapsed.Seconds()),
		suite.Told("burst: p50, p99", "%s, %s", suite.MS(res.Percentile(.5)), suite.MS(res.Percentile(.99))),
	}, nil
}
