package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hearthd/hearth/internal/sandbox"
)

func TestEnvironmentRunsTheCodeItWasGiven(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := bootShell(t, i, "e-1")
	must(t, e.Attach(t.Context(), sandbox.AttachSpec{
		TaskDir: codeDir(t, map[string]string{
			"bootstrap": "#!/bin/sh\necho \"$GREETING from $(pwd), as $(id -u):$(id -g) on $(hostname)\"\nexit 7\n",
		}),
		Limits: testLimits,
	}))
	must(t, e.Start(sandbox.StartSpec{
		Argv: []string{"/var/task/bootstrap"},
		Env:  []string{"PATH=/usr/bin:/bin", "GREETING=hello"},
	}))
	out, exit := finish(t, e)
	if out != "hello from /var/task, as 993:990 on hearth\n" {
		t.Errorf("output %q", out)
	}
	if exit != (sandbox.Exit{Code: 7}) {
		t.Errorf("exit = %+v, want code 7", exit)
	}
}

func TestEnvironmentPassesTheStartMessageToAProgramBootedBefore(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e, err := i.Boot(t.Context(), "e-1", sandbox.BootSpec{
		// An interpreter stands for this: it waits for the message's length and
		// reads as much.
		Argv: []string{"/bin/bash", "-c", `
			[ $$ -gt 1 ] && echo booted
			n=$(head -c 4 <&$HEARTH_CONTROL_FD | od -An -tu4)
			head -c $n <&$HEARTH_CONTROL_FD | tr '\0' '\n'
			echo in $(ls /var/task)`},
		Env:    []string{"PATH=/usr/bin:/bin"},
		Limits: testLimits,
		TmpMB:  512,
	})
	must(t, err)
	must(t, e.Attach(t.Context(), sandbox.AttachSpec{TaskDir: codeDir(t, map[string]string{"index.py": ""}), Limits: testLimits}))
	must(t, e.Start(sandbox.StartSpec{Env: []string{"A=1", "B=two words"}}))
	out, exit := finish(t, e)
	if want := "booted\n0\nA=1\nB=two words\nin index.py\n"; out != want || exit.Code != 0 {
		t.Errorf("exit %+v, output %q, want %q", exit, out, want)
	}
}

func TestEnvironmentShowsExtraMountsReadOnly(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	clients := codeDir(t, map[string]string{"client.py": "print()"})
	e, err := i.Boot(t.Context(), "e-1", sandbox.BootSpec{
		Argv:   []string{"/bin/sh", "-c", "cat /var/runtime/client.py; echo >/var/runtime/x"},
		Mounts: []sandbox.Mount{{Source: clients, Target: "/var/runtime"}},
		Limits: testLimits, TmpMB: 512,
	})
	must(t, err)
	out, _ := finish(t, e)
	if !strings.HasPrefix(out, "print()") || !strings.Contains(out, "Read-only file system") {
		t.Errorf("output %q", out)
	}
}

func TestExitTellsHowTheRuntimeEnded(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	for script, want := range map[string]sandbox.Exit{
		"exit 0":                  {},
		"exit 255":                {Code: 255},
		"kill -SEGV $$":           {Code: -1, Signal: 11},
		"kill -KILL $$":           {Code: -1, Signal: 9},
		"kill -TERM $$; sleep 60": {Code: -1, Signal: 15},
	} {
		t.Run(script, func(t *testing.T) {
			if _, exit := run(t, i, job{script: script}); exit != want {
				t.Errorf("%+v, want %+v", exit, want)
			}
		})
	}
}

func TestExitOfAProgramThatIsNotThere(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := bootShell(t, i, "e-1")
	must(t, e.Attach(t.Context(), sandbox.AttachSpec{TaskDir: codeDir(t, nil), Limits: testLimits}))
	must(t, e.Start(sandbox.StartSpec{Argv: []string{"/var/task/bootstrap"}}))
	out, exit := finish(t, e)
	if exit != (sandbox.Exit{Code: 125}) || out != "hearth: /var/task/bootstrap: No such file or directory\n" {
		t.Errorf("exit %+v, output %q", exit, out)
	}
}

func TestProcessesLeftBehindEndWithTheRuntime(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	// All of them hold the output open: it ends when they do.
	out, exit := run(t, i, job{script: `
		trap '' TERM HUP
		setsid sleep 1000 &
		(sleep 1000 & exit) &
		(trap '' TERM HUP INT; while :; do sleep 1000; done) &
		echo done`})
	if out != "done\n" || exit.Code != 0 {
		t.Errorf("exit %+v, output %q", exit, out)
	}
}

func TestRuntimeIsAnOrdinaryProcess(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	out, _ := run(t, i, job{script: `
		[ $$ -gt 1 ] && echo ordinary
		kill -KILL 1; kill -TERM 1; kill -IO 1          # init shrugs them off
		(sh -c 'exit 3' &) ; sleep 0.1                  # and reaps orphans
		grep -l '^State:.Z' /proc/[0-9]*/status | wc -l
		cat /proc/1/maps >/dev/null 2>&1 || echo not traceable`})
	if out != "ordinary\n0\nnot traceable\n" {
		t.Errorf("output %q", out)
	}
}

func TestTimersAreLateInCustomRuntimesOnly(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	const ask = "read slack </proc/self/timerslack_ns; echo $slack"
	if out, _ := run(t, i, job{script: ask}); out != "4000000\n" {
		t.Errorf("a custom runtime has a timer slack of %q ns", out)
	}
	e, err := i.Boot(t.Context(), name("e"), sandbox.BootSpec{Argv: []string{"/bin/sh", "-c", ask}, Limits: testLimits, TmpMB: 512})
	must(t, err)
	if out, _ := finish(t, e); out != "50000\n" {
		t.Errorf("an interpreter has a timer slack of %q ns", out)
	}
}

func TestEnvironmentIsStartedOnce(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{script: "exit 0"})
	if err := e.Start(sandbox.StartSpec{Argv: []string{"/bin/true"}}); err == nil {
		t.Error("started twice")
	}
	finish(t, e)
}

func TestKilledEnvironmentIsGone(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := bootShell(t, i, "e-1")
	e.Kill()
	e.Kill()
	<-e.Done()
	if want := (sandbox.Exit{Code: -1, Signal: 9}); e.Exit() != want {
		t.Errorf("exit %+v, want %+v", e.Exit(), want)
	}
	if err := e.Start(sandbox.StartSpec{Argv: []string{"/bin/true"}}); !errors.Is(err, sandbox.ErrGone) {
		t.Errorf("start: %v", err)
	}
	must(t, e.Release())
	must(t, e.Release())
	for name, err := range map[string]error{
		"SetLimits": e.SetLimits(testLimits),
		"Freeze":    e.Freeze(),
		"Thaw":      e.Thaw(),
		"ResetPeak": e.ResetPeak(),
		"Usage":     second(e.Usage()),
		"Peak":      second(e.PeakMemory()),
	} {
		if !errors.Is(err, sandbox.ErrGone) {
			t.Errorf("%s: %v, want ErrGone", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestUsageMayBeAskedForWhileTheEnvironmentGoes(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := bootShell(t, i, "e-1")
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if _, err := e.Usage(); err != nil {
				if !errors.Is(err, sandbox.ErrGone) {
					t.Error(err)
				}
				return
			}
		}
	})
	e.Kill()
	must(t, e.Release())
	wg.Wait()
}

func TestBootThatFailsLeavesNothing(t *testing.T) {
	d := newDriver(t, nil)
	i := newInstance(t, d)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		id   string
		spec sandbox.BootSpec
	}{
		"canceled":         {canceled, "e-1", sandbox.BootSpec{Limits: testLimits, TmpMB: 512}},
		"no such mount":    {t.Context(), "e-2", sandbox.BootSpec{Limits: testLimits, TmpMB: 512, Mounts: []sandbox.Mount{{Source: "/nonexistent", Target: "/opt/x"}}}},
		"memory too small": {t.Context(), "e-3", sandbox.BootSpec{Limits: sandbox.Limits{MemoryMB: 1, Pids: 64}, TmpMB: 512}},
		"bad name":         {t.Context(), "e/4", sandbox.BootSpec{Limits: testLimits, TmpMB: 512}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := i.Boot(c.ctx, c.id, c.spec); err == nil {
				t.Error("no error")
			}
			entries, err := os.ReadDir(filepath.Join(d.runDir(), "env"))
			must(t, err)
			if len(entries) > 0 {
				t.Errorf("left behind: %v", entries)
			}
		})
	}
	run(t, i, job{script: "exit 0"})
}

func TestNamesAreTakenOnce(t *testing.T) {
	d := newDriver(t, nil)
	i := newInstance(t, d)
	e := bootShell(t, i, "e-1")
	if _, err := i.Boot(t.Context(), "e-1", sandbox.BootSpec{Limits: testLimits, TmpMB: 512}); err == nil {
		t.Error("two environments of one name")
	}
	if _, err := d.CreateInstance(t.Context(), i.ID(), i.Capacity()); err == nil {
		t.Error("two instances of one name")
	}
	// The first is none the worse.
	must(t, e.Attach(t.Context(), sandbox.AttachSpec{TaskDir: codeDir(t, map[string]string{"file": ""}), Limits: testLimits}))
	must(t, e.Start(sandbox.StartSpec{Argv: []string{"/bin/sh", "-c", "touch /tmp/x && ls"}, Env: []string{"PATH=/usr/bin:/bin"}}))
	if out, exit := finish(t, e); out != "file\n" || exit.Code != 0 {
		t.Errorf("exit %+v, output %q", exit, out)
	}
}

func TestDestroyTakesEnvironmentsAlong(t *testing.T) {
	d := newDriver(t, nil)
	i := newInstance(t, d)
	idle, running := bootShell(t, i, "e-1"), start(t, i, job{script: "while :; do :; done"})
	frozen := start(t, i, job{script: "while :; do :; done"})
	must(t, frozen.Freeze())
	var wg sync.WaitGroup
	for n := range 4 { // and those that are just being booted
		wg.Go(func() {
			if _, err := i.Boot(context.Background(), fmt.Sprint("late-", n), sandbox.BootSpec{Limits: testLimits, TmpMB: 512}); err != nil && !errors.Is(err, errDestroyed) {
				t.Error(err)
			}
		})
	}
	must(t, i.Destroy())
	wg.Wait()
	for _, e := range []sandbox.Environment{idle, running, frozen} {
		select {
		case <-e.Done():
		default:
			t.Errorf("%s outlives its instance", e.ID())
		}
	}
	if _, err := i.Boot(t.Context(), "e-9", sandbox.BootSpec{Limits: testLimits}); !errors.Is(err, errDestroyed) {
		t.Errorf("boot in a destroyed instance: %v", err)
	}
	if dirs, err := cgroupDirs(filepath.Join(d.cgroupRoot(), i.ID())); len(dirs) > 0 || err != nil {
		t.Errorf("cgroups %v, %v", dirs, err)
	}
	must(t, i.Destroy())
}

func TestOutputEndsWithTheProcesses(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := start(t, i, job{script: "echo out; echo err >&2; sleep 1000"})
	buf := make([]byte, 8)
	_, err := io.ReadFull(e.Output(), buf)
	must(t, err)
	if string(buf) != "out\nerr\n" {
		t.Errorf("output %q", buf)
	}
	e.Kill()
	if n, err := e.Output().Read(buf); n != 0 || err != io.EOF {
		t.Errorf("read %d, %v, want the end", n, err)
	}
	finish(t, e)
}
