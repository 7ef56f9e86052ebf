package oci

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/sandbox"
)

var names atomic.Int64

// name returns a name that this process has not used yet.
func name(prefix string) string {
	return prefix + "-" + strconv.FormatInt(names.Add(1), 10)
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the sandbox tests need root: run them as root, for example with sudo make test")
	}
}

// newDriver returns a driver with a directory and cgroups of its own. When the
// test ends, it closes the driver and looks for what that left behind.
func newDriver(t testing.TB, change func(*Options)) *Driver {
	t.Helper()
	needRoot(t)
	opts := Options{
		Dir:  t.TempDir(),
		Node: fmt.Sprintf("test%dx%d", os.Getpid(), names.Add(1)),
		Log:  slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&opts)
	}
	d, err := New(opts)
	must(t, err)
	must(t, d.Sweep(t.Context()))
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		assertNothingLeft(t, opts)
	})
	return d
}

func newInstance(t testing.TB, d *Driver) sandbox.Instance {
	t.Helper()
	i, err := d.CreateInstance(t.Context(), name("i"), sandbox.Capacity{MemoryMB: 4096, CPUMilli: 1000, Pids: 1024})
	must(t, err)
	return i
}

var testLimits = sandbox.Limits{MemoryMB: 128, Pids: 64}

func bootShell(t testing.TB, i sandbox.Instance, id string) sandbox.Environment {
	t.Helper()
	e, err := i.Boot(context.Background(), id, sandbox.BootSpec{Limits: testLimits, TmpMB: 512})
	must(t, err)
	return e
}

// A job is what an environment is given to do: a shell script, or one of the
// probes (see there).
type job struct {
	script string
	probe  string
	attach sandbox.AttachSpec // TaskDir and Limits have defaults
}

// start boots an environment and starts a job in it.
func start(t testing.TB, i sandbox.Instance, j job) sandbox.Environment {
	t.Helper()
	e := bootShell(t, i, name("e"))
	spec := sandbox.StartSpec{
		Argv: []string{"/bin/sh", "-c", j.script},
		Env:  []string{"PATH=/usr/bin:/bin", "GREETING=hello"},
	}
	if j.attach.TaskDir == "" {
		j.attach.TaskDir = codeDir(t, nil)
	}
	if j.probe != "" {
		j.attach.TaskDir = probeDir(t)
		spec.Argv = []string{"/var/task/bootstrap"}
		spec.Env = append(spec.Env, probeEnv+"="+j.probe)
	}
	if j.attach.Limits == (sandbox.Limits{}) {
		j.attach.Limits = testLimits
	}
	must(t, e.Attach(t.Context(), j.attach))
	must(t, e.Start(spec))
	return e
}

// finish returns all that an environment printed and how it ended.
func finish(t testing.TB, e sandbox.Environment) (string, sandbox.Exit) {
	t.Helper()
	out, err := io.ReadAll(e.Output())
	must(t, err)
	<-e.Done()
	must(t, e.Release())
	return string(out), e.Exit()
}

func run(t testing.TB, i sandbox.Instance, j job) (string, sandbox.Exit) {
	t.Helper()
	return finish(t, start(t, i, j))
}

// codeDir is a directory with these files, readable to everyone.
func codeDir(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	for name, content := range files {
		p := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		must(t, os.WriteFile(p, []byte(content), 0o755))
	}
	return dir
}

// A line is a connection between a test and its probe: one line to ask, one to
// answer.
type line struct {
	net.Conn
	r *bufio.Reader
}

// answer takes the probe's call, which comes by the Runtime API's address.
func answer(t testing.TB, e sandbox.Environment) *line {
	t.Helper()
	must(t, e.RuntimeAPI().(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)))
	c, err := e.RuntimeAPI().Accept()
	if err != nil {
		e.Kill()
		out, exit := finish(t, e)
		t.Fatalf("the probe does not call: %v; %+v, %s", err, exit, out)
	}
	t.Cleanup(func() { c.Close() })
	return &line{c, bufio.NewReader(c)}
}

func (l *line) ask(t testing.TB, question string) string {
	t.Helper()
	_, err := fmt.Fprintln(l, question)
	must(t, err)
	s, err := l.r.ReadString('\n')
	must(t, err)
	return strings.TrimSuffix(s, "\n")
}

// eventually waits until what holds, which must come to hold.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
