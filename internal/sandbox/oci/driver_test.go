package oci

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/sandbox"
)

var testNodes atomic.Int64

// newDriver returns a driver with a directory and cgroups of its own.
func newDriver(t testing.TB, change func(*Options)) *Driver {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the sandbox tests need root: run them as root, for example with sudo make test")
	}
	opts := Options{
		Dir:  t.TempDir(),
		Node: "test" + strings.ReplaceAll(time.Now().Format("150405.000000"), ".", "") + string(rune('a'+testNodes.Add(1)%26)),
		Log:  slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&opts)
	}
	d, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if dirs, _ := cgroupDirs(d.cgroupRoot()); len(dirs) > 0 {
			t.Errorf("cgroups left behind: %v", dirs)
		}
		if left, _ := mountPoints(func(_, p string) bool { return strings.HasPrefix(p, d.runDir()) }); len(left) > 0 {
			t.Errorf("mounts left behind: %v", left)
		}
	})
	return d
}

func newInstance(t testing.TB, d *Driver) sandbox.Instance {
	t.Helper()
	i, err := d.CreateInstance(t.Context(), "i-"+strconv.FormatInt(testNodes.Add(1), 10), sandbox.Capacity{MemoryMB: 4096, CPUMilli: 1000, Pids: 1024})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

var testLimits = sandbox.Limits{MemoryMB: 128, Pids: 64}

func bootShell(t testing.TB, i sandbox.Instance, id string) sandbox.Environment {
	t.Helper()
	e, err := i.Boot(context.Background(), id, sandbox.BootSpec{Limits: testLimits, TmpMB: 512})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// runScript boots an environment, gives it a script as its code and returns
// all that it printed and how it ended.
func runScript(t testing.TB, i sandbox.Instance, id, script string) (string, sandbox.Exit) {
	t.Helper()
	e := bootShell(t, i, id)
	code := t.TempDir()
	if err := os.Chmod(code, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(code, "bootstrap"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := e.Attach(t.Context(), sandbox.AttachSpec{TaskDir: code, Limits: testLimits}); err != nil {
		t.Fatal(err)
	}
	if err := e.Start(sandbox.StartSpec{Argv: []string{"/var/task/bootstrap"}, Env: []string{"PATH=/usr/bin:/bin", "GREETING=hello"}}); err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(e.Output())
	if err != nil {
		t.Fatal(err)
	}
	<-e.Done()
	if err := e.Release(); err != nil {
		t.Errorf("release: %v", err)
	}
	return string(out), e.Exit()
}

func TestEnvironmentRunsTheCodeItWasGiven(t *testing.T) {
	d := newDriver(t, nil)
	i, err := d.CreateInstance(t.Context(), "i-1", sandbox.Capacity{MemoryMB: 1024, CPUMilli: 1000, Pids: 1024})
	if err != nil {
		t.Fatal(err)
	}
	out, exit := runScript(t, i, "e-1", `
echo "$GREETING $(pwd) $(id -u):$(id -g)"
grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\t' ' '
ls /proc | grep -c '^[0-9]'
touch /var/task/x 2>&1; touch /x 2>&1; touch /tmp/ok && echo tmp ok
df -m /tmp | tail -1 | awk '{print ($4 >= 512 && $4 < 540) ? "tmp size ok" : "tmp size " $4}'
mount -t tmpfs none /tmp 2>&1 | head -1
unshare -U true 2>&1
cat /proc/kcore 2>&1 | head -c 1 | wc -c
ls /dev
exit 7
`)
	t.Log(out)
	if exit.Code != 7 || exit.Signal != 0 {
		t.Errorf("exit = %+v, want code 7", exit)
	}
	for _, want := range []string{
		"hello /var/task 993:990\n", "CapEff: 0000000000000000\n", "CapBnd: 0000000000000000\n", "NoNewPrivs: 1\n", "Seccomp: 2\n",
		"'/var/task/x': Read-only file system", "'/x': Read-only file system", "tmp ok\n", "tmp size ok\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q", want)
		}
	}
}
