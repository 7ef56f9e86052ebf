package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hearthd/hearth/bench/node"
	"github.com/hearthd/hearth/bench/suite"
)

const rolloutsPath = "/hearth/v1/rollouts"

// The roll-outs: to a good version, to a broken one, and to a good one again.
// Release 1 serves at first; each release is the version of the same number.
const (
	rolloutCount  = 3
	thirdIsBroken = 3
)

// stepsOf are a roll-out's steps: a tenth more every few seconds.
const (
	rolloutStrategy      = "linear10percentevery3seconds"
	rolloutStrategyQuick = "linear20percentevery4seconds"
)

// rolloutReport is what the node tells of a roll-out that has ended.
type rolloutReport struct {
	ID, State, Reason string
	Percent           float64
	took              time.Duration
}

// ended tells whether a state is an end.
func (r rolloutReport) ended() bool {
	switch r.State {
	case "succeeded", "rolled-back", "aborted", "superseded":
		return true
	}
	return false
}

// rollouts rolls three versions out under load.
func (b *bench) rollouts(ctx context.Context) ([]suite.Row, error) {
	return b.underLoad(ctx, "rollout", nil, func(n *node.Node, rate float64) ([]suite.Row, error) {
		return b.threeRollouts(ctx, n, rate)
	})
}

func (b *bench) threeRollouts(ctx context.Context, n *node.Node, rate float64) ([]suite.Row, error) {
	a, err := newApp(ctx, n, "rollout", servePrevious, 0)
	if err != nil {
		return nil, err
	}
	a.broken = thirdIsBroken
	versions, err := a.publishMany(ctx, rolloutCount+1)
	if err != nil {
		return nil, err
	}
	if err := a.point("POST", "", versions[0]); err != nil {
		return nil, err
	}
	var reports []rolloutReport
	o, err := trial{
		app: a, qualifier: live, rate: rate, clients: b.clients, changes: rolloutCount,
		serving: func(i int) int {
			if i+1 == a.broken {
				return a.broken - 1
			}
			return i + 1
		},
		change: func(ctx context.Context, i int) (time.Time, error) {
			acknowledged, report, err := b.rollOut(ctx, a, versions[i])
			reports = append(reports, report)
			return acknowledged, err
		},
	}.run(ctx)
	if err != nil {
		return nil, err
	}
	return o.rolloutRows(a, reports), nil
}

// rollOut starts a roll-out and waits for its end.
func (b *bench) rollOut(ctx context.Context, a *app, version string) (acknowledged time.Time, report rolloutReport, err error) {
	strategy := rolloutStrategy
	if b.Quick {
		strategy = rolloutStrategyQuick
	}
	body, err := json.Marshal(map[string]string{"function": a.name, "alias": live, "to": version, "strategy": strategy})
	if err != nil {
		return acknowledged, report, err
	}
	begin := time.Now()
	if _, err := a.n.Call("POST", rolloutsPath, body, &report); err != nil {
		return acknowledged, report, err
	}
	acknowledged = time.Now()
	err = a.n.UntilEvery(ctx, 5*pollEvery, "end the roll-out", func() (bool, error) {
		_, err := a.n.Call("GET", rolloutsPath+"/"+report.ID, nil, &report)
		return report.ended(), err
	})
	report.took = time.Since(begin)
	return acknowledged, report, err
}

// rolloutRows tells what callers noticed, apart from what the broken version
// did, and what became of that.
func (o outcome) rolloutRows(a *app, reports []rolloutReport) []suite.Row {
	const name = "deploy-rollout"
	rows := o.promises(name, "roll-outs")
	refused := 0
	for i, r := range reports {
		if i+2 != a.broken && r.State != "succeeded" {
			refused++
		}
	}
	broken := reports[a.broken-2]
	during, met := 0, 0
	w := o.windows[a.broken-2]
	for _, answer := range o.answers {
		if answer.Sent() >= w.from && answer.Sent() <= w.done {
			during++
		}
		if m := mark(answer.Mark); m.broken() {
			met++
		}
	}
	return append(rows,
		suite.None(name+": good versions that were rolled back", refused, fmt.Sprintf("of %d; a roll-out took %.1f s", len(reports)-1, reports[0].took.Seconds())),
		suite.Row{
			Figure: name + ": the broken version", Target: "rolled back", Met: broken.State == "rolled-back",
			Value: fmt.Sprintf("%s after %.1f s; %d callers of %d met its fault (%.0f%% of its answers); %s", broken.State, broken.took.Seconds(), met, during, brokenShare*100, broken.Reason),
		})
}
