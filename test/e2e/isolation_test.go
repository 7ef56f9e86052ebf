package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hearthd/hearth/test/testnode"
)

// view is what testdata/functions/inspect sees from inside a sandbox.
type view struct {
	IDs struct {
		UID, GID, EUID int
		Groups         []int
	}
	Status     map[string]string
	UIDMap     []string `json:"uid_map"`
	Writes     map[string]string
	Masked     map[string]any
	Processes  map[string]string
	Interfaces []string
	Reach      map[string]string
	Tmp        struct {
		MB      int
		Options string
		Exec    string
	}
	Devices     []string
	Hostname    string
	Cwd         string
	Environ     map[string]string
	Descriptors []string
	Nofile      []int
	Cgroup      string
	Refused     map[string]string
}

// What a function can see and do inside its sandbox, asked of the function itself.
func TestSandboxFromInside(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "inside", Handler: "inspect_sandbox.handler", Code: tree(t, "inspect"), Timeout: 60, TmpMB: 700, Memory: 256, Env: map[string]string{"MINE": "yes"}})
	listener, err := net.Listen("tcp", "0.0.0.0:0") // a service of the host's
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	targets := []string{strings.TrimPrefix(u.node.URL, "http://"), fmt.Sprintf("127.0.0.1:%d", listener.Addr().(*net.TCPAddr).Port)}
	for _, address := range hostAddresses(t) {
		targets = append(targets, fmt.Sprintf("%s:%d", address, listener.Addr().(*net.TCPAddr).Port))
	}
	var in view
	f.answer(t, map[string]any{"targets": targets}, &in)

	t.Run("an ordinary user in a range of its own", func(t *testing.T) {
		if in.IDs.UID == 0 || in.IDs.EUID != in.IDs.UID || in.IDs.GID == 0 || slices.Contains(in.IDs.Groups, 0) {
			t.Errorf("ids %+v", in.IDs)
		}
		if len(in.UIDMap) != 3 || in.UIDMap[1] == "0" {
			t.Errorf("uid map %v", in.UIDMap)
		}
	})
	t.Run("no privileges, nor a way to any", func(t *testing.T) {
		for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
			if in.Status[set] != "0000000000000000" {
				t.Errorf("%s %s", set, in.Status[set])
			}
		}
		if in.Status["NoNewPrivs"] != "1" || in.Status["Seccomp"] != "2" {
			t.Errorf("NoNewPrivs %s, Seccomp %s", in.Status["NoNewPrivs"], in.Status["Seccomp"])
		}
		for what, errno := range in.Refused {
			if errno == "allowed" {
				t.Errorf("%s is allowed", what)
			}
		}
	})
	t.Run("nothing can be written but /tmp", func(t *testing.T) {
		for path, errno := range in.Writes {
			if errno == "allowed" {
				t.Errorf("%s can be written", path)
			}
		}
		if in.Tmp.MB < 690 || in.Tmp.MB > 720 || in.Tmp.Exec != "allowed" || !strings.Contains(in.Tmp.Options, "nosuid") || !strings.Contains(in.Tmp.Options, "nodev") {
			t.Errorf("/tmp %+v, want 700 MB, programs that run, nosuid and nodev", in.Tmp)
		}
	})
	t.Run("nothing of the host in /proc", func(t *testing.T) {
		for path, read := range in.Masked {
			if n, ok := read.(float64); ok && n > 0 {
				t.Errorf("%s can be read", path)
			}
		}
		for pid, command := range in.Processes {
			if n, err := strconv.Atoi(pid); err != nil || n > 64 {
				t.Errorf("process %s %q", pid, command)
			}
		}
		if len(in.Processes) > 3 {
			t.Errorf("processes %v, want init and the runtime", in.Processes)
		}
		if strings.Contains(in.Cgroup, "hearth") {
			t.Errorf("the cgroup's path on the host is visible: %q", in.Cgroup)
		}
	})
	t.Run("loopback is the only network", func(t *testing.T) {
		if !slices.Equal(in.Interfaces, []string{"lo"}) {
			t.Errorf("interfaces %v", in.Interfaces)
		}
		for target, what := range in.Reach {
			if what == "connected" {
				t.Errorf("%s can be reached", target)
			}
		}
	})
	t.Run("a minimal /dev and no descriptors of the node's", func(t *testing.T) {
		want := []string{"fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero", "mqueue"}
		for _, device := range in.Devices {
			if !slices.Contains(want, device) {
				t.Errorf("device %s", device)
			}
		}
		ordinary := regexp.MustCompile(`^(/dev/null|/dev/urandom|pipe:\[\d+\]|socket:\[\d+\]|/proc/\d+/fd|anon_inode:.*|/var/task/.*|/usr/.*)$`)
		for _, d := range in.Descriptors {
			if !ordinary.MatchString(d) {
				t.Errorf("descriptor %s", d)
			}
		}
		if in.Nofile[0] != 1024 {
			t.Errorf("%v open files", in.Nofile)
		}
	})
	t.Run("Lambda's environment variables and no others of the host", func(t *testing.T) {
		want := map[string]string{
			"AWS_LAMBDA_FUNCTION_NAME": "inside", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
			"AWS_REGION": testnode.Region, "AWS_DEFAULT_REGION": testnode.Region, "LAMBDA_TASK_ROOT": "/var/task", "LAMBDA_RUNTIME_DIR": "/var/runtime",
			"_HANDLER": "inspect_sandbox.handler", "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/inside", "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
			"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "TZ": ":UTC", "MINE": "yes",
		}
		for k, v := range want {
			if in.Environ[k] != v {
				t.Errorf("%s=%q, want %q", k, in.Environ[k], v)
			}
		}
		for k, v := range in.Environ {
			if strings.HasPrefix(k, "SUDO") || strings.HasPrefix(k, "HEARTH") || k == "OLDPWD" || v != "" && v == os.Getenv("GOROOT") {
				t.Errorf("%s=%s of the host", k, v)
			}
		}
		if in.Cwd != "/var/task" {
			t.Errorf("working directory %s", in.Cwd)
		}
	})
}

// Two accounts' functions run under user ids that have nothing in common, in
// cgroups whose limits are those of the configuration.
func TestSandboxFromOutside(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 2 {
		u := newTenant(t)
		f := u.create(t, spec{Name: "outside", Memory: 192})
		f.invoke(t, map[string]int{})
		e := u.environment(t, f.name)
		group := cgroupOf(t, u.node.Name, e.ID)
		limit := readNumber(t, group.memory)
		if limit != 192<<20 {
			t.Errorf("memory limit %d MB, want 192", limit>>20)
		}
		if pids := readNumber(t, group.pids); pids < 16 || pids > 2048 {
			t.Errorf("pids limit %d", pids)
		}
		uid := uidOf(t, group.processes)
		if uid < 1<<20 {
			t.Errorf("user id %d on the host: want one far from ordinary users'", uid)
		}
		if seen[uid/65536] {
			t.Errorf("two accounts share the user ids around %d", uid)
		}
		seen[uid/65536] = true
	}
}

// environmentView is one environment as the node lists it.
type environmentView struct {
	ID, Runtime, Function, Version, Revision, State string
	MemoryMB                                        int
	UsedBytes                                       int64
	Invocations                                     int64
	AgeSeconds                                      int
	Provisioned                                     bool
}

// environments lists the account's environments of a function.
func (u *tenant) environments(t testing.TB, function string) []environmentView {
	t.Helper()
	var ps struct {
		Instances []struct {
			Account      string
			Environments []environmentView
		}
	}
	if err := u.node.Native(t.Context(), u.key, http.MethodGet, "/hearth/v1/ps", nil, &ps); err != nil {
		t.Fatal(err)
	}
	var found []environmentView
	for _, i := range ps.Instances {
		for _, e := range i.Environments {
			if i.Account != u.account {
				t.Errorf("account %s is shown environment %s of account %q", u.account, e.ID, i.Account)
			}
			if e.Function == function {
				found = append(found, e)
			}
		}
	}
	return found
}

// environment is the only environment of a function.
func (u *tenant) environment(t testing.TB, function string) environmentView {
	t.Helper()
	found := u.environments(t, function)
	if len(found) != 1 {
		t.Fatalf("%d environments of %s, want one", len(found), function)
	}
	return found[0]
}

// cgroupFiles are the files of one environment's cgroup that the tests read.
type cgroupFiles struct{ memory, pids, processes string }

// cgroupOf finds an environment's cgroup, in version 1 or 2.
func cgroupOf(t testing.TB, node, environment string) cgroupFiles {
	t.Helper()
	find := func(controller, file string) string {
		found, err := filepath.Glob(filepath.Join("/sys/fs/cgroup", controller, "hearth-"+node, "*", environment, file))
		if err != nil || len(found) != 1 {
			t.Fatalf("cgroup of environment %s: %v %v", environment, found, err)
		}
		return found[0]
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return cgroupFiles{find("", "memory.max"), find("", "pids.max"), find("", "cgroup.procs")}
	}
	return cgroupFiles{find("memory", "memory.limit_in_bytes"), find("pids", "pids.max"), find("pids", "cgroup.procs")}
}

func readNumber(t testing.TB, path string) int64 {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// uidOf is the user id, on the host, of the last process in a cgroup.
func uidOf(t testing.TB, procs string) int {
	t.Helper()
	content, err := os.ReadFile(procs)
	if err != nil {
		t.Fatal(err)
	}
	pids := strings.Fields(string(content))
	if len(pids) == 0 {
		t.Fatalf("no process in %s", procs)
	}
	status, err := os.ReadFile("/proc/" + pids[len(pids)-1] + "/status")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(strings.Fields(between(string(status), "Uid:", "\n"))[0])
	if err != nil {
		t.Fatal(err)
	}
	return uid
}

// hostAddresses are this machine's addresses besides loopback.
func hostAddresses(t testing.TB) []string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			found = append(found, n.IP.String())
		}
	}
	return found
}
