package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/hearthd/hearth/bench/node"
	"github.com/hearthd/hearth/bench/suite"
)

// live is the alias that callers name.
const live = "live"

// alias moves an alias from each version to the next under load. The versions
// are published beforehand, so that each move is to one that has never run.
func (b *bench) alias(ctx context.Context) (rows []suite.Row, err error) {
	rate, rows, err := b.load(ctx)
	if err != nil {
		return rows, err
	}
	n, err := b.Start(ctx, "alias", node.Overcommit(8)...)
	if err != nil {
		return rows, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	try := func(policy string, changes int) (outcome, error) {
		a, err := newApp(ctx, n, "alias-"+policy, policy, 0)
		if err != nil {
			return outcome{}, err
		}
		versions, err := a.publishMany(ctx, changes+1)
		if err != nil {
			return outcome{}, err
		}
		if err := a.point("POST", "", versions[0]); err != nil {
			return outcome{}, err
		}
		o, err := trial{
			app: a, qualifier: live, rate: rate, clients: b.clients, changes: changes, calm: policy == strict,
			change: func(_ context.Context, i int) (time.Time, error) {
				// It is answered when the move is made, or after five seconds.
				err := a.point("PUT", "/"+live, versions[i])
				return time.Now(), err
			},
		}.run(ctx)
		return o, errors.Join(err, n.Delete(a.name))
	}
	more, err := b.bothPolicies("deploy-alias", "moves", try)
	return append(rows, more...), err
}

// publishMany publishes releases 1 to count and returns their versions.
func (a *app) publishMany(ctx context.Context, count int) (versions []string, err error) {
	for i := 1; i <= count; i++ {
		if i > 1 {
			if err := a.update(i); err != nil {
				return nil, err
			}
			if err := a.updated(ctx); err != nil {
				return nil, err
			}
		}
		v, err := a.publish()
		if err != nil {
			return nil, err
		}
		versions = append(versions, v)
	}
	return versions, nil
}

// point makes the alias, or moves it, to a version.
func (a *app) point(method, path, version string) error {
	body, err := json.Marshal(map[string]string{"Name": live, "FunctionVersion": version})
	if err != nil {
		return err
	}
	_, err = a.n.Call(method, node.Functions+"/"+a.name+"/aliases"+path, body, nil)
	return err
}
