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

// deploy updates the function's code under load.
func (b *bench) deploy(ctx context.Context) (rows []suite.Row, err error) {
	rate, rows, err := b.load(ctx)
	if err != nil {
		return rows, err
	}
	n, err := b.Start(ctx, "deploy", node.Overcommit(8)...)
	if err != nil {
		return rows, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	more, err := b.updatesUnder(ctx, n, "deploy", rate, 0)
	return append(rows, more...), err
}

// slow does the same with packages that take their time to arrive and an
// initialisation that takes long. The node keeps its state in a NATS server of
// the benchmark's, behind a connection on which packages are slow.
func (b *bench) slow(ctx context.Context) (rows []suite.Row, err error) {
	rate, rows, err := b.load(ctx)
	if err != nil {
		return rows, err
	}
	store, err := startSlowStore(b.Dir, slowDownload)
	if err != nil {
		return rows, err
	}
	defer func() { err = errors.Join(err, store.close()) }()
	n, err := b.Start(ctx, "slow", append(node.Overcommit(8), "--nats-url=nats://"+store.addr())...)
	if err != nil {
		return rows, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	more, err := b.updatesUnder(ctx, n, "deploy-slow", rate, slowInit)
	return append(rows, more...), err
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
