package runtimes

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/runtimeapi"
	"github.com/hearthd/hearth/internal/sandbox"
	"github.com/hearthd/hearth/internal/sandbox/oci"
)

// sandboxed boots rt in a real sandbox, gives it code and starts it, and
// returns its Runtime API.
func sandboxed(t *testing.T, rt Runtime, code string, layers []string, p project) (*runtimeapi.Endpoint, sandbox.Environment) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the sandbox tests need root: run them as root, for example with sudo make test")
	}
	set := hostSet(t)
	driver, err := oci.New(oci.Options{Dir: t.TempDir(), Node: fmt.Sprintf("rt%d-%d", os.Getpid(), time.Now().UnixNano()%1e9), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := driver.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := driver.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	instance, err := driver.CreateInstance(t.Context(), "one", sandbox.Capacity{MemoryMB: 1024, CPUMilli: 2000, Pids: 256})
	if err != nil {
		t.Fatal(err)
	}
	spec := set.Boot(rt)
	spec.Limits, spec.TmpMB = sandbox.Limits{MemoryMB: p.memoryMB(), Pids: 64}, 64
	env, err := instance.Boot(t.Context(), "one", spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := env.Attach(t.Context(), sandbox.AttachSpec{TaskDir: code, OptDirs: layers, Limits: spec.Limits, TmpMB: 64}); err != nil {
		t.Fatal(err)
	}
	rev := (&environment{t: t}).revision(rt, p)
	message, err := set.Start(rt, rev, Launch{Region: "eu-central-1", LogStream: "stream", TaskDir: code, OptDirs: layers})
	if err != nil {
		t.Fatal(err)
	}
	api := runtimeapi.Serve(env.RuntimeAPI(), runtimeapi.Options{})
	t.Cleanup(func() {
		env.Kill()
		<-env.Done()
		api.Close()
		output, _ := io.ReadAll(env.Output())
		if t.Failed() {
			t.Logf("output:\n%s", output)
		}
		if err := env.Release(); err != nil {
			t.Error(err)
		}
	})
	if err := env.Start(message); err != nil {
		t.Fatal(err)
	}
	return api, env
}

func call(t *testing.T, api *runtimeapi.Endpoint, env sandbox.Environment, payload string) *runtimeapi.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		select {
		case <-env.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	result, err := api.Invoke(ctx, &runtimeapi.Invocation{RequestID: "req-1", FunctionARN: "arn", Deadline: time.Now().Add(time.Hour), Payload: []byte(payload)})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Every interpreter of the host works in a sandbox, wherever it is installed:
// its extension modules, its certificates, its children.
func TestSandboxedPython(t *testing.T) {
	source := `
import ctypes, os, sqlite3, ssl, subprocess, sys, zlib
import layered, versioned
def handler(event, context):
    child = subprocess.run(["python3", "-c", "import sys; print(sys.version_info[1])"], capture_output=True, text=True)
    return [event, os.getcwd(), os.getuid(), layered.x, versioned.x, child.stdout.strip() == str(sys.version_info[1]), len(ssl.get_default_verify_paths().cafile or "") >= 0]
`
	eachRuntime(t, Python, func(t *testing.T, rt Runtime) {
		code := writeFiles(t, map[string]string{"app.py": source})
		layer := writeFiles(t, map[string]string{"python/layered.py": "x = 1", "python/lib/" + rt.Name + "/site-packages/versioned.py": "x = 2"})
		api, env := sandboxed(t, rt, code, []string{layer}, project{handler: "app.handler"})
		r := call(t, api, env, `{"n":1}`)
		if want := `[{"n": 1}, "/var/task", 993, 1, 2, true, true]`; r.Error || string(r.Payload) != want {
			t.Errorf("got %s, want %s", r.Payload, want)
		}
	})
}

func TestSandboxedNode(t *testing.T) {
	source := `
const { execFileSync } = require('child_process');
exports.handler = async (event) => [event, process.cwd(), process.getuid(), require('layered'), execFileSync('node', ['--version']).toString().trim() === process.version];
`
	eachRuntime(t, NodeJS, func(t *testing.T, rt Runtime) {
		code := writeFiles(t, map[string]string{"index.js": source})
		layer := writeFiles(t, map[string]string{"nodejs/node_modules/layered/index.js": "module.exports = 1"})
		api, env := sandboxed(t, rt, code, []string{layer}, project{handler: "index.handler"})
		r := call(t, api, env, `{"n":1}`)
		if want := `[{"n":1},"/var/task",993,1,true]`; r.Error || string(r.Payload) != want {
			t.Errorf("got %s, want %s", r.Payload, want)
		}
	})
}

// V8 knows nothing of the function's memory when it boots. Garbage, of which
// there is several times as much as memory, must be collected nevertheless.
func TestSandboxedNodeCollectsInTime(t *testing.T) {
	source := `
exports.handler = async (rounds) => {
  const kept = [];
  for (let r = 0; r < rounds; r++) {
    kept.push(Array.from({ length: 50000 }, (_, i) => ({ i, text: 'x' + i, date: new Date(i) })));
    if (kept.length > 2) {
      kept.shift();
    }
  }
  return kept.length;
};`
	eachRuntime(t, NodeJS, func(t *testing.T, rt Runtime) {
		code := writeFiles(t, map[string]string{"index.js": source})
		api, env := sandboxed(t, rt, code, nil, project{handler: "index.handler", memory: 128})
		if r := call(t, api, env, `30`); string(r.Payload) != "2" {
			t.Errorf("got %s", r.Payload)
		}
	})
}

// Shared libraries of a layer are found, though the loader of the pre-booted
// process never saw their directory.
func TestSandboxedLibraries(t *testing.T) {
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("NOT TESTED: THIS MACHINE HAS NO C COMPILER")
	}
	library := func(dir string) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		build := exec.Command(compiler, "-shared", "-fPIC", "-xc", "-", "-o", filepath.Join(dir, "libanswer.so"))
		build.Stdin = strings.NewReader("int answer(void) { return 42; }")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	files := map[string]string{"app.py": "import ctypes\nlib = ctypes.CDLL('libanswer.so')\ndef handler(event, context): return lib.answer()"}
	eachRuntime(t, Python, func(t *testing.T, rt Runtime) {
		for place, in := range map[string]string{"the task root": "code", "the code's lib": "code/lib", "a layer's lib": "layer/lib"} {
			t.Run(place, func(t *testing.T) {
				code, layer := writeFiles(t, files), writeFiles(t, nil)
				where, sub, _ := strings.Cut(in, "/")
				library(filepath.Join(map[string]string{"code": code, "layer": layer}[where], sub))
				api, env := sandboxed(t, rt, code, []string{layer}, project{handler: "app.handler"})
				if r := call(t, api, env, `{}`); string(r.Payload) != "42" {
					t.Errorf("got %s", r.Payload)
				}
			})
		}
	})
}

// A custom runtime is any program: here AWS's Go client.
func TestSandboxedProvided(t *testing.T) {
	source := writeFiles(t, map[string]string{"main.go": `package main

import (
	"context"
	"errors"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

func main() {
	lambda.Start(func(ctx context.Context, event map[string]any) (any, error) {
		if event["fail"] == true {
			return nil, errors.New("as asked")
		}
		lc, _ := lambdacontext.FromContext(ctx)
		dir, _ := os.Getwd()
		return []any{event, lc.AwsRequestID, lambdacontext.FunctionName, dir}, nil
	})
}
`})
	code := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(code, "bootstrap"), filepath.Join(source, "main.go"))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	rt, _, err := hostSet(t).For("provided.al2023")
	if err != nil {
		t.Fatal(err)
	}
	api, env := sandboxed(t, rt, code, nil, project{handler: "bootstrap"})
	if r := call(t, api, env, `{"n":1}`); r.Error || string(r.Payload) != `[{"n":1},"req-1","thing","/var/task"]` {
		t.Errorf("got %s", r.Payload)
	}
	if r := call(t, api, env, `{"fail":true}`); !r.Error || parseFailure(t, r.Payload).ErrorMessage != "as asked" {
		t.Errorf("got %s", r.Payload)
	}
}
