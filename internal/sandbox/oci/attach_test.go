package oci

import (
	"strings"
	"testing"

	"github.com/hearthd/hearth/internal/sandbox"
)

func TestLayersAreMergedAtOpt(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	layer := func(files ...string) string {
		m := map[string]string{}
		for _, f := range files {
			name, content, _ := strings.Cut(f, "=")
			m[name] = content
		}
		return codeDir(t, m)
	}
	for name, c := range map[string]struct {
		layers []string
		want   string
	}{
		"none": {nil, ""},
		"one":  {[]string{layer("a=1", "lib/x=1")}, "/opt/a:1 /opt/lib/x:1 "},
		"the later one wins": {
			[]string{layer("a=1", "lib/x=1"), layer("a=2", "lib/y=2"), layer("lib/x=3")},
			"/opt/a:2 /opt/lib/x:3 /opt/lib/y:2 ",
		},
		"five": {
			[]string{layer("a=1"), layer("b=2"), layer("c=3"), layer("d=4"), layer("e=5", "a=5")},
			"/opt/a:5 /opt/b:2 /opt/c:3 /opt/d:4 /opt/e:5 ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, _ := run(t, i, job{
				script: `for f in $(find /opt -type f | sort); do printf '%s:%s ' $f "$(cat $f)"; done; touch /opt/x 2>/dev/null && echo writable`,
				attach: sandbox.AttachSpec{OptDirs: c.layers},
			})
			if out != c.want {
				t.Errorf("%q, want %q", out, c.want)
			}
		})
	}
}

const fillTmp = `
	df -m /tmp | awk 'NR == 2 { print $4 }'
	dd if=/dev/zero of=/tmp/fill bs=1M 2>&1 | grep -o 'No space left on device'
	echo $(($(stat -c %s /tmp/fill) >> 20)) MB
	rm /tmp/fill && echo again >/tmp/ok && cat /tmp/ok`

func TestTmpIsAsLargeAsAskedForAndCostsNoMemory(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	for name, mb := range map[string]int{"the default": 512, "another size": 600} {
		t.Run(name, func(t *testing.T) {
			out, exit := run(t, i, job{script: fillTmp, attach: sandbox.AttachSpec{TmpMB: mb}})
			lines := strings.Split(out, "\n")
			if exit != (sandbox.Exit{}) || len(lines) != 5 {
				t.Fatalf("exit %+v, output %q", exit, out)
			}
			if lines[1] != "No space left on device" || lines[3] != "again" {
				t.Errorf("output %q", out)
			}
			for _, n := range []string{lines[0], strings.TrimSuffix(lines[2], " MB")} {
				if size := atoi(t, n); size < mb || size > mb+mb/20 {
					t.Errorf("%d MB, want %d and at most 5%% more", size, mb)
				}
			}
		})
	}
}

func TestTmpIsEmptyAndForEveryone(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	out, _ := run(t, i, job{script: `
		ls -A /tmp | grep -v lost+found
		stat -c %a /tmp
		mknod /tmp/mem c 1 1 2>&1 | grep -o 'Operation not permitted'
		printf '#!/bin/sh\necho runs\n' >/tmp/x && chmod 755 /tmp/x && /tmp/x`})
	if out != "1777\nOperation not permitted\nruns\n" {
		t.Errorf("output %q", out)
	}
}

func TestAttachToAnEndedEnvironment(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	e := bootShell(t, i, "e-1")
	e.Kill()
	<-e.Done()
	must(t, e.Release())
	if err := e.Attach(t.Context(), sandbox.AttachSpec{TaskDir: codeDir(t, nil), Limits: testLimits}); err == nil {
		t.Error("no error")
	}
}
