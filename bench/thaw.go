package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hearthd/hearth/bench/load"
)

// thaw compares an invocation of a frozen environment with the one right
// after it.
func (b *bench) thaw(ctx context.Context) (rows []row, err error) {
	count := 50
	if b.quick {
		count = 5
	}
	n, err := b.start(ctx, "thaw", freezeAfter(100*time.Millisecond)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.stop()) }()
	if err := n.deploy(ctx, b.echoFunction("echo")); err != nil {
		return nil, err
	}
	if _, err := n.invoke("echo", payload); err != nil {
		return nil, err
	}
	var frozen, warm []time.Duration
	for range count {
		if err := n.frozen(ctx, "provided", 1); err != nil {
			return nil, err
		}
		f, err := n.invoke("echo", payload)
		if err != nil {
			return nil, err
		}
		w, err := n.invoke("echo", payload)
		if err != nil {
			return nil, err
		}
		frozen, warm = append(frozen, f), append(warm, w)
	}
	slices.Sort(frozen)
	slices.Sort(warm)
	return []row{
		told("frozen environment: p50, p99 of an invocation", "%s, %s", ms(load.Percentile(frozen, .5)), ms(load.Percentile(frozen, .99))),
		told("thawed environment: the next invocation", "%s, %s", ms(load.Percentile(warm, .5)), ms(load.Percentile(warm, .99))),
		told("cost of a thaw: difference of the medians", "%s", ms(load.Median(frozen)-load.Median(warm))),
	}, nil
}
