package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hearthd/hearth/bench/load"
	"github.com/hearthd/hearth/bench/node"
	"github.com/hearthd/hearth/bench/proc"
	"github.com/hearthd/hearth/bench/suite"
)

// catalog creates very many functions through the API and starts the node anew
// with them.
func (b *bench) catalog(ctx context.Context) (rows []suite.Row, err error) {
	count := 100_000
	if b.Quick {
		count = 2_000
	}
	n, err := b.Start(ctx, "catalog")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	if err := n.Deploy(ctx, b.echoFunction("echo")); err != nil {
		return nil, err
	}
	restart := func() (p50 time.Duration, memory int64, err error) {
		if err := n.Stop(); err != nil {
			return 0, 0, err
		}
		if n, err = b.Start(ctx, "catalog"); err != nil {
			return 0, 0, err
		}
		if p50, err = b.warmMedian(ctx, n); err != nil {
			return 0, 0, err
		}
		return p50, proc.RSS(n.PID()), nil
	}
	before, memoryBefore, err := restart()
	if err != nil {
		return nil, err
	}
	startBefore := n.StartedIn

	created, err := b.createMany(ctx, n, count)
	if err != nil {
		return nil, err
	}
	after, memoryAfter, err := restart()
	if err != nil {
		return nil, err
	}
	var settings struct {
		AccountUsage struct{ FunctionCount int }
	}
	if _, err := n.Call("GET", "/2016-08-19/account-settings/", nil, &settings); err != nil {
		return nil, err
	}
	if settings.AccountUsage.FunctionCount < count {
		return nil, fmt.Errorf("%d functions are left of %d", settings.AccountUsage.FunctionCount, count)
	}
	return []suite.Row{
		{Figure: fmt.Sprintf("%d functions: start-up", count), Target: "< 5 s", Met: n.StartedIn < 5*time.Second,
			Value: fmt.Sprintf("%.2f s  (%.2f s with one)", n.StartedIn.Seconds(), startBefore.Seconds())},
		suite.AtMost("the same: warm p50 to that with one", float64(after)/float64(before), 1.1, suite.Versus(after, before)),
		suite.Told("the same: memory for each function", "%.2f KB", float64(memoryAfter-memoryBefore)/float64(count)/(1<<10)),
		suite.Told("the same: created through the API, 16 clients", "%.0f/s, p99 %s", created.PerSecond(), suite.MS(created.Percentile(.99))),
	}, nil
}

func (b *bench) createMany(ctx context.Context, n *node.Node, count int) (load.Result, error) {
	zip, err := node.Zip(map[string][]byte{"bootstrap": []byte("#!/bin/sh\n")})
	if err != nil {
		return load.Result{}, err
	}
	requests := make([]load.Request, count)
	for i := range requests {
		f := node.Function{Name: fmt.Sprintf("f-%06d", i), Runtime: "provided.al2023", Handler: "bootstrap", Memory: 128, Zip: zip}
		requests[i] = load.Request{Method: "POST", Path: node.Functions, Host: n.Addr, Body: f.Create()}
	}
	res, err := load.Run(ctx, load.Options{Key: n.Key, Addr: n.Addr, Clients: 16, Requests: requests, Want: http.StatusCreated})
	if err == nil {
		err = res.Check()
	}
	if err != nil {
		return res, err
	}
	return res, n.Active(ctx, fmt.Sprintf("f-%06d", count-1))
}
