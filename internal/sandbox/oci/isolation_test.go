package oci

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hearthd/hearth/internal/sandbox"
)

// procOf is the /proc directory of an environment's first process.
func procOf(t testing.TB, e sandbox.Environment) string {
	t.Helper()
	pid, err := e.(*environment).process.Pid()
	must(t, err)
	return "/proc/" + strconv.Itoa(pid)
}

func TestNamespacesAreItsOwn(t *testing.T) {
	d := newDriver(t, nil)
	i := newInstance(t, d)
	procs := []string{"/proc/thread-self", procOf(t, bootShell(t, i, "a")), procOf(t, bootShell(t, i, "b"))}
	for _, kind := range []string{"user", "pid", "mnt", "ipc", "uts", "net", "cgroup"} {
		seen := map[string]string{}
		for _, p := range procs {
			ns, err := os.Readlink(filepath.Join(p, "ns", kind))
			must(t, err)
			if other, ok := seen[ns]; ok {
				t.Errorf("%s and %s share %s", p, other, ns)
			}
			seen[ns] = p
		}
	}
}

func TestInstancesHaveUserIDsOfTheirOwn(t *testing.T) {
	d := newDriver(t, nil)
	uid := func(e sandbox.Environment) int {
		b, err := os.ReadFile(procOf(t, e) + "/status")
		must(t, err)
		for l := range strings.Lines(string(b)) {
			if f := strings.Fields(l); f[0] == "Uid:" {
				return atoi(t, f[1])
			}
		}
		t.Fatal("no user id")
		return 0
	}
	a, b := newInstance(t, d), newInstance(t, d)
	inA, alsoInA, inB := uid(bootShell(t, a, "a1")), uid(bootShell(t, a, "a2")), uid(bootShell(t, b, "b1"))
	if inA != firstID+sandboxUID || alsoInA != inA || inB != inA+idsPerInstance {
		t.Errorf("user ids %d and %d in one instance, %d in another", inA, alsoInA, inB)
	}
	must(t, a.Destroy())
	if again := uid(bootShell(t, newInstance(t, d), "c1")); again != inA {
		t.Errorf("user id %d, want %d again", again, inA)
	}
}

func TestProcessHasNoPrivileges(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	out, _ := run(t, i, job{script: `grep -E '^(Cap...|NoNewPrivs|Seccomp|Groups):' /proc/self/status | tr -d ' \t'
		ulimit -n; ulimit -c; ulimit -l`})
	const none = "0000000000000000"
	want := "Groups:\nCapInh:" + none + "\nCapPrm:" + none + "\nCapEff:" + none + "\nCapBnd:" + none + "\nCapAmb:" + none + "\nNoNewPrivs:1\nSeccomp:2\n1024\n0\n64\n"
	if out != want {
		t.Errorf("%q, want %q", out, want)
	}
}

func TestForbiddenSystemCallsAreRefused(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	out, exit := run(t, i, job{probe: "syscalls"})
	if exit.Code != 0 || strings.Count(out, "\n") < 20 {
		t.Fatalf("exit %+v, output %q", exit, out)
	}
	for l := range strings.Lines(out) {
		want := "EPERM"
		if strings.HasPrefix(l, "clone3 ") {
			want = "ENOSYS" // so that C libraries fall back to clone
		}
		if f := strings.Fields(l); f[len(f)-1] != want {
			t.Errorf("%s, want %s", strings.TrimSpace(l), want)
		}
	}
}

func TestOnlyTmpIsWritable(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	out, exit := run(t, i, job{probe: "files"})
	if exit.Code != 0 {
		t.Fatalf("exit %+v, output %q", exit, out)
	}
	var got []string
	for l := range strings.Lines(out) {
		got = append(got, strings.TrimSpace(l))
	}
	slices.Sort(got)
	want := []string{"device /dev/full", "device /dev/null", "device /dev/random", "device /dev/urandom", "device /dev/zero", "writable /dev/shm", "writable /tmp"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestCodeIsReadOnlyAndBringsNoDevices(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	task := codeDir(t, map[string]string{"file": "content"})
	must(t, os.Chmod(task, 0o777))
	memory := filepath.Join(task, "memory")
	must(t, unix.Mknod(memory, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 1))))
	must(t, os.Chmod(memory, 0o666))
	out, _ := run(t, i, job{attach: sandbox.AttachSpec{TaskDir: task}, script: `exec 2>&1
		cat file; echo; echo >>file; rm file; head -c1 memory`})
	want := "content\n" +
		"/bin/sh: 2: cannot create file: Permission denied\n" +
		"rm: cannot remove 'file': Read-only file system\n" +
		"head: cannot open 'memory' for reading: Permission denied\n"
	if out != want {
		t.Errorf("output %q, want %q", out, want)
	}
}

func TestHostIsNotToBeSeen(t *testing.T) {
	d := newDriver(t, nil)
	i := newInstance(t, d)
	other := bootShell(t, i, "other")
	must(t, other.Attach(t.Context(), sandbox.AttachSpec{TaskDir: codeDir(t, map[string]string{"secret": "s"}), Limits: testLimits}))
	must(t, os.WriteFile(filepath.Join(other.(*environment).dir, "tmp", "secret"), []byte("s"), 0o666))
	out, _ := run(t, i, job{probe: "files"})
	if strings.Contains(out, "secret") {
		t.Errorf("another environment's files: %s", out)
	}
	for script, want := range map[string]string{
		"test $(ls /proc | grep -c '^[0-9]') -le 5 && echo few": "few\n", // init, shells, ls, grep
		"ls -A /sys":                         "",
		"ls -A /run /home/sbx_user1051 /opt": "/home/sbx_user1051:\n\n/opt:\n\n/run:\n",
		"cat /etc/shadow":                    "cat: /etc/shadow: No such file or directory\n",
		"ls /root":                           "ls: cannot access '/root': No such file or directory\n",
		"cat /etc/hostname /proc/version | head -1": "hearth\n",
		"head -c1 /proc/kcore 2>/dev/null | wc -c":  "0\n",
		"cat /proc/keys /proc/timer_list":           "",
		"echo 1 >/proc/sys/kernel/panic":            "/bin/sh: 1: cannot create /proc/sys/kernel/panic: Read-only file system\n",
		"cat /proc/self/cgroup | grep -c /..":       "0\n",
	} {
		if out, _ := run(t, i, job{script: script + " 2>&1"}); out != want {
			t.Errorf("%s: %q, want %q", script, out, want)
		}
	}
}

func TestSetuidProgramsGainNothing(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	task := codeDir(t, map[string]string{})
	b, err := os.ReadFile("/usr/bin/id")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(task, "id"), b, 0o755))
	must(t, os.Chmod(filepath.Join(task, "id"), 0o755|os.ModeSetuid))
	if out, _ := run(t, i, job{script: "/var/task/id -u", attach: sandbox.AttachSpec{TaskDir: task}}); out != fmt.Sprintln(sandboxUID) {
		t.Errorf("output %q", out)
	}
}

func TestSocketsOfTheHostAreOutOfReach(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	abstract := fmt.Sprintf("@hearth-test-%d", os.Getpid())
	l, err := net.Listen("unix", abstract)
	must(t, err)
	defer l.Close()
	c, err := net.Dial("unix", abstract)
	must(t, err)
	c.Close()
	e := start(t, i, job{probe: "sockets"})
	if a := answer(t, e).ask(t, abstract); !strings.Contains(a, "connection refused") {
		t.Errorf("answer %q", a)
	}
}

func TestSignalsStayInTheEnvironment(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	a := start(t, i, job{probe: "echo"})
	l := answer(t, a)
	// Another one of the same user id signals all processes there are.
	run(t, i, job{script: "(kill -KILL -1); kill -KILL -1; seq 3 99999 | xargs -n 5000 kill -KILL"})
	if got := l.ask(t, "alive"); got != "alive" {
		t.Errorf("answer %q", got)
	}
}

func atoi(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	must(t, err)
	return n
}
