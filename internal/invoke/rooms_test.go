package invoke

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/code"
	"github.com/hearthd/hearth/internal/deploy"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/pool"
	"github.com/hearthd/hearth/internal/runtimes"
	"github.com/hearthd/hearth/internal/sandbox"
	"github.com/hearthd/hearth/internal/sandbox/oci"
	"github.com/hearthd/hearth/internal/sizing"
	"github.com/hearthd/hearth/internal/state"
	"github.com/hearthd/hearth/internal/telemetry"
	"github.com/hearthd/hearth/internal/usage"
	"github.com/hearthd/hearth/internal/worker"
)

const testAccount = account.ID("123456789012")

// house is all rooms below the API, real ones.
type house struct {
	t        testing.TB
	catalog  *function.Catalog
	packages *code.Store
	logs     *telemetry.Logs
	runtimes *runtimes.Set
	deploy   *deploy.Manager
	workers  *worker.Manager
	budget   *pool.Budget
	pool     *pool.Pool
	usage    *usage.Usage
	invoker  *Invoker
}

type settings struct {
	memoryMB int
	floor    int // of pre-booted environments
	worker   worker.Options
}

func newHouse(t testing.TB, change func(*settings)) *house {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("these tests run real environments and need root: for example sudo make test")
	}
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelInfo}))
	set := settings{memoryMB: 4096, floor: 1, worker: worker.Options{
		FreezeAfter: time.Second, IdleFor: time.Minute, QueueFor: 5 * time.Second, InitFor: 10 * time.Second, Overlap: 1.25, Region: "us-east-1", Log: log,
	}}
	if change != nil {
		change(&set)
	}
	dir, ctx := t.TempDir(), t.Context()
	life, end := context.WithCancel(context.Background())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	closing := func(name string, f func() error) {
		t.Cleanup(func() {
			if err := f(); err != nil {
				t.Errorf("close %s: %v", name, err)
			}
		})
	}
	closing("life", func() error { end(); return nil })
	store, err := state.Open(ctx, state.Options{Dir: filepath.Join(dir, "state"), Log: log})
	must(err)
	closing("state", store.Close)
	packages, err := code.OpenStore(ctx, store, code.Limits{})
	must(err)
	cache, err := code.OpenCache(filepath.Join(dir, "cache"), packages, 1<<30, log)
	must(err)
	closing("cache", cache.Close)
	catalog, err := function.Open(life, store, function.Options{Region: "us-east-1", MinUnreserved: 100, Log: log,
		Quota: func(account.ID) function.Quota { return function.Quota{Concurrency: 1000, CodeStorageBytes: 1 << 40} }})
	must(err)
	closing("catalog", catalog.Close)
	logs, err := telemetry.OpenLogs(life, store, telemetry.LogOptions{Log: log})
	must(err)
	closing("logs", logs.Close)
	set2, err := runtimes.Discover(ctx, runtimes.Options{ClientDir: filepath.Join(dir, "runtime"), Log: log})
	must(err)
	driver, err := oci.New(oci.Options{Dir: filepath.Join(dir, "sandbox"), Node: "t" + uuid.NewString()[:8], Log: log})
	must(err)
	must(driver.Sweep(ctx))
	closing("driver", driver.Close)
	budget := pool.NewBudget(set.memoryMB)
	p := pool.New(driver, budget, func(name string) (sandbox.BootSpec, error) {
		for _, rt := range set2.List() {
			if rt.Name == name {
				return set2.Boot(rt), nil
			}
		}
		return sandbox.BootSpec{}, fmt.Errorf("no runtime %s", name)
	}, pool.Options{Floor: set.floor, Ceiling: 4, InstanceMB: set.memoryMB, CPUPerMB: 1000.0 / worker.MBPerCPU, Log: log})
	background := func(f func(context.Context)) {
		ctx, stop := context.WithCancel(life)
		done := make(chan struct{})
		go func() { defer close(done); f(ctx) }()
		t.Cleanup(func() { stop(); <-done })
	}
	var workers *worker.Manager
	t.Cleanup(func() { // after the pool was drained
		if workers == nil { // the house was not finished
			return
		}
		for _, i := range workers.Instances() {
			if n := i.Allocated(); n != 0 {
				t.Errorf("%d MB are still allocated in an instance", n)
			}
		}
		if n := budget.Reserved(); n != 0 {
			t.Errorf("%d MB are still reserved after all is closed", n)
		}
	})
	background(p.Run)
	sized, err := sizing.Open(life, sizing.Rooms{Store: store, Catalog: catalog}, sizing.Options{Log: log})
	must(err)
	closing("sizing", sized.Close)
	used, err := usage.Open(life, store, usage.Options{Dir: filepath.Join(dir, "usage"), Log: log})
	must(err)
	closing("usage", used.Close)
	amounts := Amounts{Catalog: catalog, Sizing: sized}
	set.worker.AmountOf = amounts.Of
	metrics := telemetry.NewMetrics()
	workers = worker.New(worker.Rooms{Pool: p, Budget: budget, Cache: cache, Runtimes: set2, Logs: logs, Metrics: metrics}, set.worker)
	t.Cleanup(workers.Close)
	limits := worker.NewConcurrency(func(account.ID) int { return 1000 })
	deployer := deploy.New(deploy.Rooms{Catalog: catalog, Workers: workers, Limits: limits, Pool: p, Runtimes: set2}, log)
	background(deployer.Run)
	return &house{
		t: t, catalog: catalog, packages: packages, logs: logs, runtimes: set2, deploy: deployer, workers: workers, budget: budget, pool: p, usage: used,
		invoker: New(Rooms{Catalog: catalog, Deploy: deployer, Workers: workers, Limits: limits, Logs: logs, Metrics: metrics, Usage: used, Amounts: amounts}, log),
	}
}

// zip stores a package of the files, given as name, content, name, content.
func (h *house) zip(files ...string) function.Package {
	h.t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		header := &zip.FileHeader{Name: files[i], Method: zip.Deflate}
		header.SetMode(0o755)
		w, err := z.CreateHeader(header)
		if err != nil {
			h.t.Fatal(err)
		}
		_, _ = io.WriteString(w, files[i+1])
	}
	if err := z.Close(); err != nil {
		h.t.Fatal(err)
	}
	pkg, err := h.packages.Put(h.t.Context(), b.Bytes())
	if err != nil {
		h.t.Fatal(err)
	}
	return function.Package{SHA256: pkg.SHA256, Size: pkg.Size}
}

// create makes a function of the files.
func (h *house) create(name string, config function.Configuration, files ...string) {
	h.t.Helper()
	pkg := h.zip(files...)
	if config.TimeoutSec == 0 {
		config.TimeoutSec = 3
	}
	if config.Memory == 0 {
		config.Memory = 128
	}
	config.EphemeralMB, config.Role, config.PackageType = 512, "arn:aws:iam::123456789012:role/r", "Zip"
	config.Architectures = []string{"x86_64"}
	if _, err := h.catalog.Create(h.t.Context(), function.Key{Account: testAccount, Name: name}, function.CreateInput{Config: config, Package: pkg}); err != nil {
		h.t.Fatal(err)
	}
}

// update gives a function new code and returns its view when the update has
// ended, well or badly.
func (h *house) update(name string, files ...string) *function.View {
	h.t.Helper()
	key := function.Key{Account: testAccount, Name: name}
	ended := make(chan *function.View, 1)
	stop := h.catalog.Changes(func(k function.Key, v *function.View) {
		if k == key && v != nil && v.Status.Update != function.InProgress {
			select {
			case ended <- v:
			default:
			}
		}
	})
	defer stop()
	if _, err := h.catalog.UpdateCode(h.t.Context(), key, function.UpdateCodeInput{Package: h.zip(files...)}); err != nil {
		h.t.Fatal(err)
	}
	select {
	case v := <-ended:
		return v
	case <-h.t.Context().Done():
		h.t.Fatal("the update did not end")
		return nil
	}
}

// python is a configuration for lambda_function.py.
func python() function.Configuration {
	return function.Configuration{Runtime: "python3.11", Handler: "lambda_function.handler"}
}

func (h *house) invoke(name, payload string) *Response {
	h.t.Helper()
	resp, err := h.invoker.Invoke(h.t.Context(), &Request{
		Account: testAccount, Name: name, RequestID: uuid.NewString(), Payload: []byte(payload), Tail: true,
	})
	if err != nil {
		h.t.Fatalf("invoke %s: %v", name, err)
	}
	return resp
}

// logLines lists the lines of a function's log that begin so.
func (h *house) logLines(name, prefix string) (lines []string) {
	h.t.Helper()
	err := h.logs.Read(h.t.Context(), function.Key{Account: testAccount, Name: name}, telemetry.ReadOptions{}, func(e telemetry.Event) error {
		if strings.HasPrefix(e.Message, prefix) {
			lines = append(lines, e.Message)
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return lines
}

// eventually waits until something is so that nobody announces.
func (h *house) eventually(what string, is func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); {
		if time.Now().After(deadline) {
			h.t.Fatalf("it never came to be that %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}
