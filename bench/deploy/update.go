package main

import (
	"context"
	"errors"
	"time"

	"github.com/hearthd/hearth/bench/node"
	"github.com/hearthd/hearth/bench/suite"
)

// The artificial slowness of deploy-slow.
const (
	slowDownload = 3 * time.Second
	slowInit     = 2 * time.Second
)

// underLoad starts a node and measures on it, at the rate that is the load.
func (b *bench) underLoad(ctx context.Context, name string, options []string, measure func(n *node.Node, rate float64) ([]suite.Row, error)) (rows []suite.Row, err error) {
	rate, rows, err := b.load(ctx)
	if err != nil {
		return rows, err
	}
	n, err := b.Start(ctx, name, append(node.Overcommit(8), options...)...)
	if err != nil {
		return rows, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	measured, err := measure(n, rate)
	return append(rows, measured...), err
}

// deploy updates the function's code under load.
func (b *bench) deploy(ctx context.Context) ([]suite.Row, error) {
	return b.underLoad(ctx, "deploy", nil, func(n *node.Node, rate float64) ([]suite.Row, error) {
		return b.updatesUnder(ctx, n, "deploy", rate, 0)
	})
}

// slow does the same with packages that take their time to arrive and an
// initialisation that takes long. The node keeps its state in a NATS server of
// the benchmark's, behind a connection on which packages are slow.
func (b *bench) slow(ctx context.Context) (rows []suite.Row, err error) {
	store, err := startSlowStore(b.Dir, slowDownload)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.close()) }()
	return b.underLoad(ctx, "slow", []string{"--nats-url=nats://" + store.addr()}, func(n *node.Node, rate float64) ([]suite.Row, error) {
		return b.updatesUnder(ctx, n, "deploy-slow", rate, slowInit)
	})
}

// updatesUnder runs the trial of updates under both policies.
func (b *bench) updatesUnder(ctx context.Context, n *node.Node, name string, rate float64, init time.Duration) (rows []suite.Row, err error) {
	try := func(policy string, changes int) (outcome, error) {
		a, err := newApp(ctx, n, name+"-"+policy, policy, init)
		if err != nil {
			return outcome{}, err
		}
		o, err := trial{
			app: a, rate: rate, clients: b.clients, changes: changes, calm: policy == strict,
			change: func(ctx context.Context, i int) (time.Time, error) {
				if err := a.update(i + 1); err != nil {
					return time.Time{}, err
				}
				acknowledged := time.Now()
				return acknowledged, a.updated(ctx)
			},
		}.run(ctx)
		return o, errors.Join(err, n.Delete(a.name))
	}
	return b.bothPolicies(name, "updates", try)
}

// bothPolicies makes the rows of a trial under serve-previous and, with fewer
// changes, under strict.
func (b *bench) bothPolicies(name, changes string, try func(policy string, changes int) (outcome, error)) ([]suite.Row, error) {
	o, err := try(servePrevious, b.updates)
	if err != nil {
		return nil, err
	}
	rows := o.rows(name, changes)
	if o, err = try(strict, max(b.updates/5, 1)); err != nil {
		return rows, err
	}
	return append(rows, o.strictRow(name)), nil
}
