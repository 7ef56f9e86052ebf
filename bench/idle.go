package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hearthd/hearth/bench/load"
	"github.com/hearthd/hearth/bench/node"
	"github.com/hearthd/hearth/bench/proc"
	"github.com/hearthd/hearth/bench/suite"
)

// idle holds many environments that did one invocation and now wait, frozen.
//
// What one of them costs is the machine's available memory before, less that
// after, divided by their number. Of this, the memory of the runtime's process
// that it shares with nobody (USS) is the function's own affair; the rest is
// what the platform adds: sandbox, kernel, and the node's own bookkeeping.
func (b *bench) idle(ctx context.Context) (rows []suite.Row, err error) {
	count := 500
	if b.Quick {
		count = 50
	}
	n, err := b.Start(ctx, "idle", append(node.PoolOf(0), node.Overcommit(8)...)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	l := languages[0]
	d, err := l.deploy(ctx, n, "idle", count)
	if err != nil {
		return nil, err
	}
	if err := n.Deploy(ctx, b.echoFunction("echo")); err != nil {
		return nil, err
	}
	without, err := b.warmMedian(ctx, n)
	if err != nil {
		return nil, err
	}

	available, own := proc.MemInfo("MemAvailable"), proc.RSS(n.PID())
	res, err := load.Run(ctx, load.Options{Key: n.Key, Addr: n.Addr, Clients: 4, Requests: d.once()})
	if err == nil {
		err = res.Check()
	}
	if err != nil {
		return nil, err
	}
	if err := frozen(ctx, n, l.family, count); err != nil {
		return nil, err
	}
	each := (available - proc.MemInfo("MemAvailable")) / int64(count)
	grown := (proc.RSS(n.PID()) - own) / int64(count)
	unshared, err := runtimeUSS(n.PID(), "python", count)
	if err != nil {
		return nil, err
	}
	with, err := b.warmMedian(ctx, n)
	if err != nil {
		return nil, err
	}
	extra := float64(each-unshared) / (1 << 20)
	ratio := float64(with) / float64(without)
	return []suite.Row{
		{Figure: fmt.Sprintf("%d idle environments: memory each beyond USS", count), Target: "≤ 1.5 MB", Met: extra <= 1.5,
			Value: fmt.Sprintf("%.2f MB  (%.2f MB less %.2f MB; node %.0f KB)", extra, float64(each)/(1<<20), float64(unshared)/(1<<20), float64(grown)/(1<<10))},
		suite.AtMost("the same: warm p50 to that without them", ratio, 1.2, suite.Versus(with, without)),
	}, nil
}

// warmMedian is the median over rounds of the echo function's p50.
func (b *bench) warmMedian(ctx context.Context, n *node.Node) (time.Duration, error) {
	var p50 []time.Duration
	for i := -1; i < b.rounds; i++ {
		res, err := b.loop(ctx, n.Key, n.Addr, "echo", 1, i < 0)
		if err != nil {
			return 0, err
		}
		if i >= 0 {
			p50 = append(p50, res.Percentile(.5))
		}
	}
	return load.Median(p50), nil
}

// frozen waits until that many environments of a family are frozen.
func frozen(ctx context.Context, n *node.Node, family string, count int) error {
	return n.Until(ctx, "freeze its idle environments", func() (bool, error) {
		got, err := n.Environments(func(e node.Environment) bool {
			return e.State == "frozen" && strings.HasPrefix(e.Runtime, family)
		})
		return got >= count, err
	})
}

// runtimeUSS is the mean unshared memory of the node's processes whose program
// is of that name.
func runtimeUSS(pid int, program string, want int) (int64, error) {
	var sum int64
	count := 0
	for _, p := range proc.Descendants(pid) {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p))
		if err == nil && strings.HasPrefix(filepath.Base(exe), program) {
			sum += proc.USS(p)
			count++
		}
	}
	if count < want {
		return 0, fmt.Errorf("%d processes of %s are there, not %d", count, program, want)
	}
	return sum / int64(count), nil
}
