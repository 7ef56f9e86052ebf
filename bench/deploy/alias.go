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
func (b *bench) alias(ctx context.Context) ([]suite.Row, error) {
	return b.underLoad(ctx, "alias", nil, func(n *node.Node, rate float64) ([]suite.Row, error) {
		return b.moves(ctx, n, rate)
	})
}

func (b *bench) moves(ctx context.Context, n *node.Node, rate float64) ([]suite.Row, error) {
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
			change: func(ctx context.Context, i int) (time.Time, error) {
				if err := a.point("PUT", "/"+live, versions[i]); err != nil {
					return time.Time{}, err
				}
				acknowledged := time.Now()
				// That was when the move was made, or after five seconds.
				return acknowledged, a.answers(ctx, live, i+1)
			},
		}.run(ctx)
		return o, errors.Join(err, n.Delete(a.name))
	}
	return b.bothPolicies("deploy-alias", "moves", try)
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
