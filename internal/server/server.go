// Package server assembles one node from the rooms: it opens them in order,
// serves the API, and closes them in the opposite order when its context ends.
// Its caller is `hearth serve`.
package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/code"
	"github.com/hearthd/hearth/internal/deploy"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/invoke"
	"github.com/hearthd/hearth/internal/lambdaapi"
	"github.com/hearthd/hearth/internal/pool"
	"github.com/hearthd/hearth/internal/rollout"
	"github.com/hearthd/hearth/internal/runtimes"
	"github.com/hearthd/hearth/internal/sandbox"
	"github.com/hearthd/hearth/internal/sandbox/oci"
	"github.com/hearthd/hearth/internal/sizing"
	"github.com/hearthd/hearth/internal/state"
	"github.com/hearthd/hearth/internal/telemetry"
	"github.com/hearthd/hearth/internal/usage"
	"github.com/hearthd/hearth/internal/worker"
)

const (
	// initFor is Lambda's limit of an initialisation outside an invocation.
	initFor = 10 * time.Second
	// drainFor is how long a stopping node lets invocations come to their end.
	drainFor = 30 * time.Second
	// collectEvery is how often packages that no function refers to are removed.
	collectEvery = time.Hour
	// verifyEvery is how often the code cache is read through, for damage that
	// the disk did to it.
	verifyEvery = 24 * time.Hour
)

// node is a node while it runs. The rooms are in the order they are opened.
type node struct {
	opts     Options
	id       string
	store    *state.Store
	accounts *account.Registry
	packages *code.Store
	cache    *code.Cache
	catalog  *function.Catalog
	sizing   *sizing.Sizing
	teller   atomic.Pointer[invoke.Invoker] // n.invoker, nil until it is there: sizing is opened before
	logs     *telemetry.Logs
	metrics  *telemetry.Metrics
	usage    *usage.Usage
	runtimes *runtimes.Set
	driver   sandbox.Driver
	budget   *pool.Budget
	pool     *pool.Pool
	workers  *worker.Manager
	limits   *worker.Concurrency
	deploy   *deploy.Manager
	invoker  *invoke.Invoker
	rollouts *rollout.Rollouts

	// stopping ends when the node begins to stop: answers without an end of
	// their own end then.
	stopping context.Context

	// undo closes what was opened, last first.
	undo []func() error
}

// Run runs a node until ctx ends; it returns when everything is closed. Call
// [oci.Isolate] first.
func Run(ctx context.Context, opts Options) (err error) {
	if err := opts.complete(); err != nil {
		return err
	}
	n := &node{opts: opts, stopping: ctx}
	defer func() {
		for i := len(n.undo) - 1; i >= 0; i-- {
			err = errors.Join(err, n.undo[i]())
		}
	}()
	root, err := n.open(ctx)
	if err != nil {
		return err
	}
	return n.serve(ctx, root)
}

// rootAccount is what the first start made or a later one found.
type rootAccount struct {
	account account.Account
	key     account.Key
	created bool
}

// open opens the rooms.
func (n *node) open(ctx context.Context) (root rootAccount, err error) {
	o := n.opts
	if err := os.MkdirAll(o.Dir, 0o711); err != nil {
		return root, fmt.Errorf("data directory: %w", err)
	}
	sum := sha256.Sum256([]byte(o.Dir))
	n.id = hex.EncodeToString(sum[:4])

	// What a room does until it is closed hangs on a context of its own, not
	// on the one that asks the node to stop: it must go on while we drain.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	n.undo = append(n.undo, func() error { end(); return nil })

	n.store, err = state.Open(ctx, state.Options{Dir: filepath.Join(o.Dir, "state"), SyncAlways: o.SyncAlways, URL: o.NATSURL, Log: o.Log})
	if err != nil {
		return root, err
	}
	n.undo = append(n.undo, n.store.Close)
	if n.accounts, err = account.Open(life, n.store, account.Options{KeyFile: filepath.Join(o.Dir, "master.key")}); err != nil {
		return root, err
	}
	if root.account, root.key, root.created, err = n.accounts.EnsureRoot(ctx); err != nil {
		return root, err
	}
	if err := account.WriteCredentials(n.credentials(), root.key, o.Region); err != nil {
		return root, err
	}
	if n.packages, err = code.OpenStore(ctx, n.store, code.Limits{}); err != nil {
		return root, err
	}
	if n.cache, err = code.OpenCache(filepath.Join(o.Dir, "cache"), n.packages, o.CacheBytes, o.Log); err != nil {
		return root, err
	}
	n.undo = append(n.undo, n.cache.Close)
	n.catalog, err = function.Open(life, n.store, function.Options{Region: o.Region, Quota: n.quota, MinUnreserved: 100, Seal: n.accounts, Log: o.Log})
	if err != nil {
		return root, err
	}
	n.undo = append(n.undo, n.catalog.Close)
	if n.sizing, err = sizing.Open(life, sizing.Rooms{Store: n.store, Catalog: n.catalog}, n.sizingOptions()); err != nil {
		return root, err
	}
	n.undo = append(n.undo, n.sizing.Close)
	if n.usage, err = usage.Open(ctx, n.store, usage.Options{Dir: filepath.Join(o.Dir, "usage"), Keep: o.UsageAge, Log: o.Log}); err != nil {
		return root, err
	}
	n.undo = append(n.undo, n.usage.Close)
	if n.logs, err = telemetry.OpenLogs(life, n.store, telemetry.LogOptions{MaxBytes: o.LogBytes, MaxAge: o.LogAge, Log: o.Log}); err != nil {
		return root, err
	}
	n.undo = append(n.undo, n.logs.Close)
	n.metrics = telemetry.NewMetrics()
	n.runtimes, err = runtimes.Discover(ctx, runtimes.Options{
		ClientDir: filepath.Join(o.Dir, "runtime"), Prefixes: o.RuntimePrefixes, Strict: o.StrictRuntimes, Log: o.Log,
	})
	if err != nil {
		return root, err
	}
	return root, n.openSandboxes(ctx, life)
}

// openSandboxes opens the rooms that hold environments.
func (n *node) openSandboxes(ctx, life context.Context) error {
	o := n.opts
	driver, err := oci.New(oci.Options{Dir: filepath.Join(o.Dir, "sandbox"), Node: n.id, Egress: o.Egress, Log: o.Log})
	if err != nil {
		return err
	}
	n.driver = driver
	if err := driver.Sweep(ctx); err != nil {
		return errors.Join(err, driver.Close())
	}
	n.undo = append(n.undo, driver.Close)
	n.budget = pool.NewBudget(o.budgetMB())
	n.pool = pool.New(driver, n.budget, n.boot, pool.Options{
		Floor: o.PoolFloor, Ceiling: o.PoolCeiling, InstanceMB: o.InstanceMB, CPUPerMB: 1000 / float64(o.MBPerCPU), Log: o.Log,
	})
	n.run(life, n.pool.Run)
	n.undo = append(n.undo, n.closeRollouts)
	n.workers = worker.New(worker.Rooms{
		Pool: n.pool, Budget: n.budget, Cache: n.cache, Runtimes: n.runtimes, Logs: n.logs, Metrics: n.metrics,
	}, worker.Options{
		FreezeAfter: o.FreezeAfter, IdleFor: o.IdleFor, QueueFor: o.QueueFor, InitFor: initFor, Overlap: o.Overlap, Region: o.Region, Log: o.Log,
		MBPerCPU: o.MBPerCPU, MbitPerCPU: o.MbitPerCPU, AmountOf: n.amounts().Of,
	})
	n.undo = append(n.undo, func() error { n.workers.Close(); return nil })
	n.metrics.Observe(n.census)
	n.limits = worker.NewConcurrency(func(id account.ID) int {
		a, _ := n.accounts.Account(id)
		return a.Concurrency
	})
	n.deploy = deploy.New(deploy.Rooms{
		Catalog: n.catalog, Workers: n.workers, Limits: n.limits, Pool: n.pool, Runtimes: n.runtimes,
	}, o.Log)
	n.run(life, n.deploy.Run)
	n.invoker = invoke.New(invoke.Rooms{
		Catalog: n.catalog, Deploy: n.deploy, Workers: n.workers, Limits: n.limits, Logs: n.logs, Metrics: n.metrics,
		Usage: n.usage, Amounts: n.amounts(),
	}, o.Log)
	n.teller.Store(n.invoker)
	if err := n.openRollouts(ctx, life); err != nil {
		return err
	}
	n.run(life, n.collect)
	n.run(life, n.verify)
	n.keepDefaults()
	return nil
}

// run runs f in the background until the node is closed, and waits for it then.
func (n *node) run(life context.Context, f func(context.Context)) {
	ctx, stop := context.WithCancel(life)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	n.undo = append(n.undo, func() error {
		stop()
		<-done
		return nil
	})
}

// serve serves the API until ctx ends and invocations under way have ended.
func (n *node) serve(ctx context.Context, root rootAccount) error {
	handler, err := n.handler()
	if err != nil {
		return err
	}
	listener, err := listen(ctx, n.opts.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w (another node? choose an address with --listen)", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 10 * time.Minute}
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(listener) }()
	servers := []*http.Server{server}
	if n.opts.MetricsListen != "" {
		l, err := net.Listen("tcp", n.opts.MetricsListen)
		if err != nil {
			return errors.Join(fmt.Errorf("listen for metrics: %w", err), server.Close())
		}
		metrics := &http.Server{Handler: n.metrics.Handler(), ReadHeaderTimeout: 30 * time.Second}
		go func() { failed <- metrics.Serve(l) }()
		servers = append(servers, metrics)
	}
	if n.opts.Started != nil {
		n.opts.Started(Started{
			URL: "http://" + listener.Addr().String(), CredentialsFile: n.credentials(), Region: n.opts.Region,
			FirstStart: root.created, AccountID: string(root.account.ID), AccessKeyID: root.key.AccessKeyID,
		})
	}
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	for _, s := range servers {
		if s.Shutdown(drain) != nil {
			err = errors.Join(err, s.Close()) // invocations longer than that are cut off
		}
	}
	return err
}

// handler is the whole API, Lambda's and Hearth's own.
func (n *node) handler() (http.Handler, error) {
	return lambdaapi.New(lambdaapi.Options{
		Region: n.opts.Region, Catalog: n.catalog, Accounts: n.accounts, CodeStore: n.packages,
		Invoker: n.invoker, Effective: n.amounts().Effective,
		Moves: n.deploy, Allocation: n.deploy.Allocation, PublicURL: n.opts.PublicURL, S3: n.opts.S3, Native: n.native(),
		ServesRuntime: func(identifier string) error {
			_, _, err := n.runtimes.For(identifier)
			return err
		},
		Log: n.opts.Log,
	})
}

// amounts say what executions are given.
func (n *node) amounts() invoke.Amounts {
	return invoke.Amounts{Catalog: n.catalog, Sizing: n.sizing, Most: function.MemoryMB(min(n.opts.InstanceMB, n.opts.budgetMB()))}
}

// holder names the node among those that share a state: its id is made of the
// data directory's name, which may be the same on two machines.
func (n *node) holder() string {
	host, err := os.Hostname()
	if err != nil {
		return n.id
	}
	return n.id + "@" + host
}

func (n *node) credentials() string { return filepath.Join(n.opts.Dir, "credentials") }

func (n *node) quota(id account.ID) function.Quota {
	a, _ := n.accounts.Account(id)
	return function.Quota{Concurrency: a.Concurrency, CodeStorageBytes: a.CodeStorageBytes}
}

// boot says how to boot a runtime by its name; the pool's question.
func (n *node) boot(name string) (sandbox.BootSpec, error) {
	for _, rt := range n.runtimes.List() {
		if rt.Name == name {
			return n.runtimes.Boot(rt), nil
		}
	}
	return sandbox.BootSpec{}, fmt.Errorf("no runtime %s on this node", name)
}

// keepDefaults has the pool keep one runtime of each family ready, the newest,
// until functions say which they use.
func (n *node) keepDefaults() {
	newest := map[runtimes.Family]string{}
	for _, rt := range n.runtimes.List() { // by family and version
		newest[rt.Family] = rt.Name
	}
	for _, name := range newest {
		n.pool.Keep(name)
	}
}

// every calls f again and again, that far apart, until ctx ends.
func every(ctx context.Context, apart time.Duration, f func()) {
	tick := time.NewTicker(apart)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}

// collect removes packages that no function refers to any more.
func (n *node) collect(ctx context.Context) {
	every(ctx, collectEvery, func() {
		if removed, err := n.packages.Collect(ctx, n.catalog.Packages()); err != nil {
			n.opts.Log.Warn("unused packages remain; trying again later", "error", err)
		} else if removed > 0 {
			n.opts.Log.Info("removed unused packages", "packages", removed)
		}
	})
}

// verify reads the code cache through, and has it repair itself.
func (n *node) verify(ctx context.Context) {
	every(ctx, verifyEvery, func() {
		if repaired, err := n.cache.Verify(ctx); err != nil && ctx.Err() == nil {
			n.opts.Log.Warn("the code cache could not be verified; trying again later", "error", err)
		} else if repaired > 0 {
			n.opts.Log.Warn("damaged packages in the code cache were unpacked again", "packages", repaired)
		}
	})
}
