package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hearthd/hearth/bench/load"
	"github.com/hearthd/hearth/bench/node"
	"github.com/hearthd/hearth/bench/suite"
)

// switches measures the time from UpdateFunctionCode's answer to the first
// answer by the new code, by a caller that asks again and again: of a function
// that runs (hot), and of functions that never ran (cold).
func (b *bench) switches(ctx context.Context) (rows []suite.Row, err error) {
	n, err := b.Start(ctx, "switch", node.Overcommit(8)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	for _, policy := range []string{servePrevious, strict} {
		hot, err := b.hot(ctx, n, policy)
		if err != nil {
			return rows, err
		}
		cold, err := b.cold(ctx, n, policy)
		if err != nil {
			return rows, err
		}
		rows = append(rows, switchRow("hot", policy, hot), switchRow("cold", policy, cold))
	}
	return rows, nil
}

func switchRow(state, policy string, took []time.Duration) suite.Row {
	slices.Sort(took)
	return suite.Told(fmt.Sprintf("deploy-switch, %s, %s: p50, p99", state, policy), "%s, %s  (%d updates)",
		suite.MS(load.Percentile(took, .5)), suite.MS(load.Percentile(took, .99)), len(took))
}

func (b *bench) hot(ctx context.Context, n *node.Node, policy string) (took []time.Duration, err error) {
	a, err := newApp(ctx, n, "hot-"+policy, policy, 0)
	if err != nil {
		return nil, err
	}
	for i := range b.updates {
		if _, err := n.Invoke(a.name, []byte("{}")); err != nil {
			return nil, err
		}
		t, err := a.switchTo(ctx, i+2)
		if err != nil {
			return nil, err
		}
		took = append(took, t)
	}
	return took, n.Delete(a.name)
}

func (b *bench) cold(ctx context.Context, n *node.Node, policy string) (took []time.Duration, err error) {
	for i := range b.updates {
		a, err := newApp(ctx, n, fmt.Sprintf("cold-%s-%d", policy, i), policy, 0)
		if err != nil {
			return nil, err
		}
		t, err := a.switchTo(ctx, 2)
		if err != nil {
			return nil, err
		}
		took = append(took, t)
		if err := n.Delete(a.name); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// switchTo updates to a release and asks until it answers.
func (a *app) switchTo(ctx context.Context, release int) (time.Duration, error) {
	if err := a.update(release); err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := a.answers(ctx, "", release); err != nil {
		return 0, err
	}
	return time.Since(begin), a.updated(ctx)
}

// answers asks again and again, each time at once, until a release answers.
func (a *app) answers(ctx context.Context, qualifier string, release int) error {
	for ctx.Err() == nil {
		var answer []int64
		if _, err := a.n.Call("POST", a.request(qualifier).Path, []byte("{}"), &answer); err != nil {
			return err
		}
		if len(answer) == 2 && answer[0] == int64(release) {
			return nil
		}
	}
	return ctx.Err()
}
