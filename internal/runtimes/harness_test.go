package runtimes

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/runtimeapi"
	"github.com/hearthd/hearth/internal/sandbox"
)

// patience bounds every wait of the tests. Reaching it is a failure, whatever
// the machine's speed.
const patience = time.Minute

var host struct {
	once sync.Once
	dir  string
	set  *Set
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if host.dir != "" {
		os.RemoveAll(host.dir)
	}
	os.Exit(code)
}

// hostSet is what this machine has, discovered once.
func hostSet(t testing.TB) *Set {
	t.Helper()
	host.once.Do(func() {
		if host.dir, host.err = os.MkdirTemp("", "hearth-runtimes-"); host.err == nil { //nolint:usetesting // it outlives the test: all tests share it
			host.set, host.err = Discover(context.Background(), Options{ClientDir: host.dir})
		}
	})
	if host.err != nil {
		t.Fatal(host.err)
	}
	return host.set
}

// eachRuntime runs a test with every runtime of a family that this machine has,
// in short mode with the newest.
func eachRuntime(t *testing.T, family Family, test func(t *testing.T, rt Runtime)) {
	t.Helper()
	families := map[Family][]Runtime{}
	for _, rt := range hostSet(t).List() {
		families[rt.Family] = append(families[rt.Family], rt)
	}
	runtimes := families[family]
	if testing.Short() && len(runtimes) > 0 {
		runtimes = runtimes[len(runtimes)-1:]
	}
	for _, rt := range runtimes {
		t.Run(rt.Name, func(t *testing.T) { test(t, rt) })
	}
	if len(runtimes) > 0 {
		return
	}
	if len(families[Python]) == 0 && len(families[NodeJS]) == 0 {
		t.Fatal("THIS MACHINE HAS NEITHER PYTHON NOR NODE.JS: the runtime clients can't be tested")
	}
	t.Skipf("NOT TESTED: THIS MACHINE HAS NO %s", strings.ToUpper(string(family)))
}

// project is a function under test.
type project struct {
	files   map[string]string // by path; those named bootstrap or *.sh are executable
	handler string
	env     map[string]string
	logging string // LoggingConfig
	memory  int    // in MB, 256 when zero
}

func (p project) memoryMB() int { return cmp.Or(p.memory, 256) }

// environment is a runtime as a process of the host: everything of a sandboxed
// one but the sandbox.
type environment struct {
	t        testing.TB
	api      *runtimeapi.Endpoint
	address  string
	task     string
	process  *exec.Cmd
	control  *os.File
	output   *os.File
	seen     bytes.Buffer
	waited   chan struct{} // closed when the process was waited for
	requests int
}

// boot starts the pre-booted process of rt.
func boot(t testing.TB, rt Runtime) *environment {
	t.Helper()
	set := hostSet(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &environment{t: t, address: listener.Addr().String(), task: t.TempDir(), waited: make(chan struct{})}
	e.api = runtimeapi.Serve(listener, runtimeapi.Options{})
	t.Cleanup(func() { e.api.Close() })

	readControl, writeControl, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	readOutput, writeOutput, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	e.control, e.output = writeControl, readOutput
	spec := set.Boot(rt)
	argv := e.onHost(rt, spec.Argv)
	e.process = exec.Command(argv[0], argv[1:]...)
	e.process.Env = append([]string{"HEARTH_CONTROL_FD=3"}, spec.Env...)
	e.process.Dir = e.task
	e.process.Stdout, e.process.Stderr = writeOutput, writeOutput
	e.process.ExtraFiles = []*os.File{readControl}
	if err := e.process.Start(); err != nil {
		t.Fatal(err)
	}
	readControl.Close()
	writeOutput.Close()
	go func() {
		_ = e.process.Wait() // its outcome is read from ProcessState
		close(e.waited)
	}()
	t.Cleanup(func() {
		_ = e.process.Process.Kill()
		<-e.waited
		e.control.Close()
		e.output.Close()
	})
	return e
}

// onHost replaces the environment's path of the runtime client by the host's.
func (e *environment) onHost(rt Runtime, argv []string) []string {
	var out []string
	for _, arg := range argv {
		out = append(out, strings.Replace(arg, runtimeDir+"/", filepath.Join(hostSet(e.t).clientDir, string(rt.Family))+"/", 1))
	}
	return out
}

// message is the start message for a project, which is written to the task root.
func (e *environment) message(rt Runtime, p project) []byte {
	e.t.Helper()
	for name, content := range p.files {
		path := filepath.Join(e.task, name)
		mode := os.FileMode(0o644)
		if filepath.Base(name) == "bootstrap" || filepath.Ext(name) == ".sh" {
			mode = 0o755
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			e.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			e.t.Fatal(err)
		}
	}
	spec, err := hostSet(e.t).Start(rt, e.revision(rt, p), Launch{Region: "eu-central-1", LogStream: "2026/11/23/[$LATEST]0123", TaskDir: e.task})
	if err != nil {
		e.t.Fatal(err)
	}
	for i, entry := range spec.Env {
		switch name, _, _ := strings.Cut(entry, "="); name {
		case "AWS_LAMBDA_RUNTIME_API":
			spec.Env[i] = name + "=" + e.address
		case "LAMBDA_TASK_ROOT":
			spec.Env[i] = name + "=" + e.task
		case "LAMBDA_RUNTIME_DIR":
			spec.Env[i] = name + "=" + filepath.Join(hostSet(e.t).clientDir, string(rt.Family))
		}
	}
	spec.Argv = e.onHost(rt, spec.Argv)
	if len(spec.Argv) > 0 {
		spec.Argv[0] = strings.Replace(spec.Argv[0], taskRoot, e.task, 1)
	}
	return encodeStart(spec)
}

func (e *environment) revision(rt Runtime, p project) *function.Revision {
	rev := &function.Revision{
		Key:     function.Key{Account: "123456789012", Name: "thing"},
		Version: function.Latest,
		ARN:     "arn:aws:lambda:eu-central-1:123456789012:function:thing",
		Config:  function.Configuration{Runtime: rt.Name, Handler: p.handler, Memory: function.MemoryMB(p.memoryMB()), Environment: p.env},
	}
	if p.logging != "" {
		rev.Config.Extra = map[string]json.RawMessage{"LoggingConfig": json.RawMessage(p.logging)}
	}
	return rev
}

// encodeStart is the wire form of a start message, as the driver writes it.
func encodeStart(s sandbox.StartSpec) []byte {
	var b bytes.Buffer
	b.Write(make([]byte, 4))
	for _, text := range append(append([]string{strconv.Itoa(len(s.Argv))}, s.Argv...), s.Env...) {
		b.WriteString(text)
		b.WriteByte(0)
	}
	binary.LittleEndian.PutUint32(b.Bytes(), uint32(b.Len()-4))
	return b.Bytes()
}

// start boots rt and gives it a project.
func start(t testing.TB, rt Runtime, p project) *environment {
	t.Helper()
	e := boot(t, rt)
	e.send(e.message(rt, p))
	return e
}

func (e *environment) send(message []byte) {
	e.t.Helper()
	if _, err := e.control.Write(message); err != nil {
		e.t.Fatal(err)
	}
	e.control.Close()
}

// invoke runs the function once.
func (e *environment) invoke(payload string) *runtimeapi.Result {
	e.t.Helper()
	return e.invokeWith(runtimeapi.Invocation{Payload: []byte(payload)})
}

func (e *environment) invokeWith(inv runtimeapi.Invocation) *runtimeapi.Result {
	e.t.Helper()
	result, err := e.try(inv)
	if err != nil {
		e.t.Fatalf("invocation: %v\noutput:\n%s", err, e.logs())
	}
	return result
}

// try runs the function once; its request ID is req-<number of the call>.
func (e *environment) try(inv runtimeapi.Invocation) (*runtimeapi.Result, error) {
	e.requests++
	inv.RequestID = fmt.Sprintf("req-%d", e.requests)
	inv.FunctionARN = "arn:aws:lambda:eu-central-1:123456789012:function:thing"
	if inv.Deadline.IsZero() {
		inv.Deadline = time.Now().Add(time.Hour)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	go func() { // an environment that ends answers nothing
		select {
		case <-e.waited:
			cancel()
		case <-ctx.Done():
		}
	}()
	return e.api.Invoke(ctx, &inv)
}

// initError waits for the report of a failed initialisation.
func (e *environment) initError() runtimeapi.InitError {
	e.t.Helper()
	select {
	case report := <-e.api.InitError():
		return report
	case <-e.api.Ready():
		e.t.Fatalf("the initialisation succeeded\noutput:\n%s", e.logs())
	case <-time.After(patience):
		e.t.Fatalf("neither ready nor failed\noutput:\n%s", e.logs())
	}
	panic("unreachable")
}

// logs returns everything written until now, without waiting.
func (e *environment) logs() string {
	conn, err := e.output.SyscallConn()
	if err != nil {
		e.t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	for n := 1; n > 0; {
		_ = conn.Read(func(fd uintptr) bool {
			n, err = syscall.Read(int(fd), buf)
			return true
		})
		if n > 0 {
			e.seen.Write(buf[:n])
		}
	}
	return e.seen.String()
}

// exit waits for the end of the process and returns its exit code.
func (e *environment) exit() int {
	e.t.Helper()
	select {
	case <-e.waited:
	case <-time.After(patience):
		e.t.Fatalf("the process goes on\noutput:\n%s", e.logs())
	}
	if rest, err := io.ReadAll(e.output); err == nil || errors.Is(err, os.ErrClosed) {
		e.seen.Write(rest)
	}
	return e.process.ProcessState.ExitCode()
}

// sameJSON reports whether two texts are the same JSON.
func sameJSON(t testing.TB, a, b string) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return bytes.Equal(p, q)
}

// failure is the union of what the clients report of an error.
type failure struct {
	ErrorMessage string   `json:"errorMessage"`
	ErrorType    string   `json:"errorType"`
	RequestID    string   `json:"requestId"`
	StackTrace   []string `json:"stackTrace"` // Python
	Trace        []string `json:"trace"`      // Node.js
}

func parseFailure(t testing.TB, payload []byte) failure {
	t.Helper()
	var f failure
	if err := json.Unmarshal(payload, &f); err != nil {
		t.Fatalf("error report %q: %v", payload, err)
	}
	return f
}
