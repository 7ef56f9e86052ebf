package oci

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/sandbox"
)

// crashEnv makes the test binary a node that boots environments until it is
// killed, or one only: "<node> <directory> many" or "... one".
const crashEnv = "_HEARTH_TEST_CRASH"

// crashingNode boots environments without end, several at a time: some compute,
// some are frozen, some are released again. It prints a line for each step.
func crashingNode(spec string) error {
	f := strings.Fields(spec)
	dir, one := f[1], f[2] == "one"
	d, err := New(Options{Node: f[0], Dir: dir, Egress: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := d.Sweep(context.Background()); err != nil {
		return err
	}
	i, err := d.CreateInstance(context.Background(), "i-1", sandbox.Capacity{MemoryMB: 8192, CPUMilli: 1000, Pids: 4096})
	if err != nil {
		return err
	}
	code := filepath.Join(dir, "code")
	if err := os.Mkdir(code, 0o755); err != nil {
		return err
	}
	if one {
		if err := crashStep(i, "e-1", code, 0); err != nil {
			return err
		}
		select {}
	}
	failed := make(chan error)
	for worker := range 3 {
		go func() {
			for n := 0; ; n++ {
				if err := crashStep(i, fmt.Sprintf("e-%d-%d", worker, n), code, n); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

func crashStep(i sandbox.Instance, id, code string, n int) error {
	e, err := i.Boot(context.Background(), id, sandbox.BootSpec{Limits: testLimits, TmpMB: 512})
	if err != nil {
		return err
	}
	fmt.Println("booted")
	if err := e.Attach(context.Background(), sandbox.AttachSpec{TaskDir: code, Limits: testLimits}); err != nil {
		return err
	}
	if err := e.Start(sandbox.StartSpec{Argv: []string{"/bin/sh", "-c", "sleep 1000 & while :; do :; done"}}); err != nil {
		return err
	}
	fmt.Println("started")
	switch n % 3 {
	case 1:
		err = e.Freeze()
		fmt.Println("frozen")
	case 2:
		e.Kill()
		err = e.Release()
		fmt.Println("released")
	}
	return err
}

func TestSweepRemovesWhatAKilledNodeLeft(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("HEARTH_TEST_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		must(t, err)
	}
	t.Logf("HEARTH_TEST_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	opts := Options{Node: fmt.Sprintf("crash%d", seed%1e6), Dir: filepath.Join(t.TempDir(), "sandbox"), Log: slog.New(slog.DiscardHandler)}
	for range 6 {
		killNode(t, opts, "many", 1+random.IntN(24), time.Duration(random.IntN(30))*time.Millisecond)
		d, err := New(opts)
		must(t, err)
		must(t, d.Sweep(t.Context()))
		assertNothingLeft(t, opts)
		must(t, d.Close())
	}
}

// killNode runs a node and kills it a moment after it printed so many lines.
func killNode(t *testing.T, opts Options, environments string, lines int, moment time.Duration) {
	t.Helper()
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), crashEnv+"="+opts.Node+" "+opts.Dir+" "+environments)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	s := bufio.NewScanner(out)
	for range lines {
		if !s.Scan() {
			t.Fatalf("the node ended by itself: %s", stderr.String())
		}
	}
	time.Sleep(moment) // anywhere in what it does next
	must(t, c.Process.Kill())
	_ = c.Wait()
}

// assertNothingLeft is called after a sweep. Loop devices and network
// namespaces go a little after their last user.
func assertNothingLeft(t testing.TB, opts Options) {
	t.Helper()
	var left []string
	defer func() {
		if len(left) > 0 {
			t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
		}
	}()
	eventually(t, "nothing is left behind", func() bool {
		left = leftBehind(t, opts)
		return len(left) == 0
	})
}

func leftBehind(t testing.TB, opts Options) []string {
	t.Helper()
	d := &Driver{opts: opts}
	left := egressLeft(t, opts.Node)
	dirs, err := cgroupDirs(d.cgroupRoot())
	must(t, err)
	for _, dir := range dirs {
		left = append(left, "cgroup "+dir)
	}
	// Sweep prepares the run directory for the new node.
	mounts, err := mountPoints(func(_, p string) bool { return strings.HasPrefix(p, d.runDir()+"/") })
	must(t, err)
	for _, m := range mounts {
		left = append(left, "mount "+m)
	}
	for _, dir := range []string{d.runDir() + "/env", d.runDir() + "/roots", d.runDir() + "/state"} {
		entries, _ := os.ReadDir(dir) // gone altogether when the driver was closed
		for _, e := range entries {
			left = append(left, "file "+filepath.Join(dir, e.Name()))
		}
	}
	entries, _ := os.ReadDir(opts.Dir)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "tmp-") { // the template, made by the probe
			left = append(left, "file "+e.Name())
		}
	}
	loops, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	must(t, err)
	for _, l := range loops {
		if b, err := os.ReadFile(l); err == nil && strings.Contains(string(b), opts.Dir) {
			left = append(left, "loop device "+l)
		}
	}
	processes, err := filepath.Glob("/proc/[0-9]*/status")
	must(t, err)
	for _, p := range processes {
		b, err := os.ReadFile(p)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) > 1 && f[0] == "Uid:" {
				if uid, _ := strconv.Atoi(f[1]); uid >= firstID && uid < firstID+maxInstances*idsPerInstance && inNode(filepath.Dir(p), opts.Node) {
					left = append(left, "process "+p)
				}
			}
		}
	}
	return left
}

// inNode tells whether a process belongs to a node, by its cgroup.
func inNode(proc, node string) bool {
	b, err := os.ReadFile(filepath.Join(proc, "cgroup"))
	return err == nil && strings.Contains(string(b), "/hearth-"+node+"/")
}

// A running environment ends with its node and not only with the sweep at its
// next start, as do those that are frozen or half made.
func TestEnvironmentsEndWithTheirNode(t *testing.T) {
	opts := Options{Node: fmt.Sprintf("orphan%d", os.Getpid()), Dir: filepath.Join(t.TempDir(), "sandbox"), Log: slog.New(slog.DiscardHandler)}
	killNode(t, opts, "one", 2, 0)
	eventually(t, "no process outlives its node", func() bool {
		dirs, err := cgroupDirs("/hearth-" + opts.Node)
		must(t, err)
		return !slices.ContainsFunc(dirs, func(dir string) bool {
			b, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			return len(b) > 0
		})
	})
	d, err := New(opts)
	must(t, err)
	must(t, d.Sweep(t.Context()))
	must(t, d.Close())
}

// Booting many at once must not kill any: the node's threads come and go.
func TestEnvironmentsOutliveTheThreadsThatMadeThem(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	var wg sync.WaitGroup
	environments := make([]sandbox.Environment, 24)
	for n := range environments {
		wg.Go(func() {
			e, err := i.Boot(context.Background(), fmt.Sprintf("e-%d", n), sandbox.BootSpec{Limits: testLimits, TmpMB: 512})
			if err != nil {
				t.Error(err)
				return
			}
			environments[n] = e
		})
	}
	wg.Wait()
	for _, e := range environments {
		if e == nil {
			continue
		}
		select {
		case <-e.Done():
			t.Errorf("%s ended: %+v", e.ID(), e.Exit())
		default:
		}
	}
}
