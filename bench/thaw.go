package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hearthd/hearth/bench/load"
	"github.com/hearthd/hearth/bench/node"
	"github.com/hearthd/hearth/bench/suite"
)

// thaw compares an invocation of a frozen environment with the one right
// after it.
func (b *bench) thaw(ctx context.Context) (rows []suite.Row, err error) {
	count := 50
	if b.Quick {
		count = 5
	}
	n, err := b.Start(ctx, "thaw", node.FreezeAfter(100*time.Millisecond)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	if err := n.Deploy(ctx, b.echoFunction("echo")); err != nil {
		return nil, err
	}
	if _, err := n.Invoke("echo", payload); err != nil {
		return nil, err
	}
	var thawed, warm []time.Duration
	for range count {
		if err := frozen(ctx, n, "provided", 1); err != nil {
			return nil, err
		}
		f, err := n.Invoke("echo", payload)
		if err != nil {
			return nil, err
		}
		w, err := n.Invoke("echo", payload)
		if err != nil {
			return nil, err
		}
		thawed, warm = append(thawed, f), append(warm, w)
	}
	slices.Sort(thawed)
	slices.Sort(warm)
	return []suite.Row{
		suite.Told("frozen environment: p50, p99 of an invocation", "%s, %s", suite.MS(load.Percentile(thawed, .5)), suite.MS(load.Percentile(thawed, .99))),
		suite.Told("thawed environment: the next invocation", "%s, %s", suite.MS(load.Percentile(warm, .5)), suite.MS(load.Percentile(warm, .99))),
		suite.Told("cost of a thaw: difference of the medians", "%s", suite.MS(load.Median(thawed)-load.Median(warm))),
	}, nil
}
