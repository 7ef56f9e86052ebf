package runtimes

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hearthd/hearth/internal/function"
)

func revision(runtime string, env map[string]string) *function.Revision {
	return &function.Revision{
		Key:     function.Key{Account: "123456789012", Name: "thing"},
		Version: "7",
		Config:  function.Configuration{Runtime: runtime, Handler: "app.handler", Memory: 512, Environment: env},
	}
}

// lookup returns the value of a variable, which must stand in the block once.
func lookup(t *testing.T, block []string, name string) (string, bool) {
	t.Helper()
	value, found := "", false
	for _, entry := range block {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			if found {
				t.Errorf("%s is there twice", name)
			}
			value, found = v, true
		}
	}
	return value, found
}

func TestStartEnvironment(t *testing.T) {
	set := setOf(false, "python3.11")
	rt := Runtime{Name: "python3.11", Family: Python, Path: "/opt/py/bin/python3.11", Version: "3.11.7"}
	env := map[string]string{
		"MINE": "1", "PATH": "/mine", "AWS_REGION": "elsewhere", "_HANDLER": "other", "AWS_ACCESS_KEY_ID": "own",
	}
	spec, err := set.Start(rt, revision("python3.13", env), Launch{Region: "eu-central-1", LogStream: "stream"})
	if err != nil {
		t.Fatal(err)
	}
	if len(spec.Argv) > 0 {
		t.Errorf("a new process for nothing: %q", spec.Argv)
	}
	for name, want := range map[string]string{
		"_HANDLER":                        "app.handler", // reserved
		"AWS_REGION":                      "eu-central-1",
		"AWS_DEFAULT_REGION":              "eu-central-1",
		"AWS_EXECUTION_ENV":               "AWS_Lambda_python3.13", // as configured, whatever serves it
		"AWS_LAMBDA_FUNCTION_NAME":        "thing",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
		"AWS_LAMBDA_FUNCTION_VERSION":     "7",
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/thing",
		"AWS_LAMBDA_LOG_STREAM_NAME":      "stream",
		"AWS_LAMBDA_RUNTIME_API":          "127.0.0.1:9001",
		"LAMBDA_TASK_ROOT":                "/var/task",
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
		"LANG":                            "en_US.UTF-8",
		"TZ":                              ":UTC",
		"PATH":                            "/mine", // may be replaced
		"MINE":                            "1",
		"AWS_ACCESS_KEY_ID":               "own", // Hearth has none to give
	} {
		if got, _ := lookup(t, spec.Env, name); got != want {
			t.Errorf("%s=%s, want %s", name, got, want)
		}
	}
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_LOG_FORMAT", "HEARTH_CONTROL_FD"} {
		if value, found := lookup(t, spec.Env, name); found {
			t.Errorf("%s=%s", name, value)
		}
	}
}

func TestStartChildrenFindTheSameInterpreter(t *testing.T) {
	for path, want := range map[string]string{
		"/usr/bin/python3.11":    "/usr/local/bin:/usr/bin:/bin:/opt/bin",
		"/opt/py/bin/python3.11": "/opt/py/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
	} {
		spec, err := setOf(false).Start(Runtime{Family: Python, Path: path}, revision("python3.11", nil), Launch{})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := lookup(t, spec.Env, "PATH"); got != want {
			t.Errorf("%s: PATH=%s, want %s", path, got, want)
		}
	}
}

func TestStartLoggingConfig(t *testing.T) {
	for config, want := range map[string][2]string{
		`{"LogFormat":"Text"}`:                              {"", ""},
		`{"LogFormat":"JSON"}`:                              {"JSON", "INFO"},
		`{"LogFormat":"JSON","ApplicationLogLevel":"WARN"}`: {"JSON", "WARN"},
	} {
		rev := revision("python3.11", nil)
		rev.Config.Extra = map[string]json.RawMessage{"LoggingConfig": json.RawMessage(config)}
		spec, err := setOf(false).Start(Runtime{Family: Python, Path: "/usr/bin/python3"}, rev, Launch{})
		if err != nil {
			t.Fatal(err)
		}
		format, _ := lookup(t, spec.Env, "AWS_LAMBDA_LOG_FORMAT")
		level, _ := lookup(t, spec.Env, "AWS_LAMBDA_LOG_LEVEL")
		if got := [2]string{format, level}; got != want {
			t.Errorf("%s: %q, want %q", config, got, want)
		}
	}
}

func TestStartNewProcess(t *testing.T) {
	python := Runtime{Name: "python3.11", Family: Python, Path: "/usr/bin/python3.11"}
	node := Runtime{Name: "nodejs20.x", Family: NodeJS, Path: "/usr/bin/node"}
	tests := []struct {
		rt       Runtime
		variable string
		want     []string
	}{
		{python, "PYTHONPATH", nil},
		{python, "PYTHONUNBUFFERED", nil},
		{python, "NODE_OPTIONS", nil},
		{python, "MINE", nil},
		{python, "PYTHONHASHSEED", []string{"/usr/bin/python3.11", "-B", "/var/runtime/bootstrap.py"}},
		{python, "LD_PRELOAD", []string{"/usr/bin/python3.11", "-B", "/var/runtime/bootstrap.py"}},
		{python, "MALLOC_ARENA_MAX", []string{"/usr/bin/python3.11", "-B", "/var/runtime/bootstrap.py"}},
		{python, "AWS_LAMBDA_EXEC_WRAPPER", []string{"value", "/usr/bin/python3.11", "-B", "/var/runtime/bootstrap.py"}},
		{node, "NODE_ENV", nil},
		{node, "NODE_PATH", nil},
		{node, "PYTHONHASHSEED", nil},
		{node, "NODE_OPTIONS", []string{"/usr/bin/node", "/var/runtime/index.cjs"}},
		{node, "NODE_EXTRA_CA_CERTS", []string{"/usr/bin/node", "/var/runtime/index.cjs"}},
		{node, "UV_THREADPOOL_SIZE", []string{"/usr/bin/node", "/var/runtime/index.cjs"}},
		{node, "AWS_LAMBDA_EXEC_WRAPPER", []string{"value", "/usr/bin/node", "/var/runtime/index.cjs"}},
	}
	for _, test := range tests {
		spec, err := setOf(false).Start(test.rt, revision(test.rt.Name, map[string]string{test.variable: "value"}), Launch{})
		if err != nil || !slices.Equal(spec.Argv, test.want) {
			t.Errorf("%s with %s: %q, %v; want %q", test.rt.Family, test.variable, spec.Argv, err, test.want)
		}
	}
}

func TestStartProvided(t *testing.T) {
	write := func(name string, mode os.FileMode) string {
		dir := t.TempDir()
		if name != "" {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	empty, good, plain := write("", 0), write("bootstrap", 0o755), write("bootstrap", 0o644)
	tests := []struct {
		rule    string
		task    string
		opt     []string
		want    string
		message string
	}{
		{"in the code", good, nil, "/var/task/bootstrap", ""},
		{"in a layer", empty, []string{empty, good}, "/opt/bootstrap", ""},
		{"the code's comes first", good, []string{good}, "/var/task/bootstrap", ""},
		{"nowhere", empty, []string{empty}, "", "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"},
		{"not executable", plain, nil, "", "/var/task/bootstrap is not executable: its mode is -rw-r--r--"},
		{"not executable, in a layer", empty, []string{plain}, "", "/opt/bootstrap is not executable: its mode is -rw-r--r--"},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			spec, err := setOf(false).Start(Runtime{Name: "provided", Family: Provided}, revision("provided.al2023", nil), Launch{TaskDir: test.task, OptDirs: test.opt})
			if test.want != "" {
				if err != nil || !slices.Equal(spec.Argv, []string{test.want}) {
					t.Errorf("%q, %v; want %s", spec.Argv, err, test.want)
				}
				if _, found := lookup(t, spec.Env, "AWS_EXECUTION_ENV"); found {
					t.Error("AWS_EXECUTION_ENV is set")
				}
				return
			}
			var e *EntrypointError
			if !errors.As(err, &e) || e.Type != "Runtime.InvalidEntrypoint" || e.Message != test.message {
				t.Errorf("%v, want %s", err, test.message)
			}
		})
	}
}

func TestBoot(t *testing.T) {
	set := setOf(false)
	set.clientDir = "/clients"
	if spec := set.Boot(Runtime{Name: "provided", Family: Provided}); len(spec.Argv) > 0 || len(spec.Mounts) > 0 {
		t.Errorf("provided: %+v", spec)
	}
	rt := hostRuntime(t)
	spec := set.Boot(rt)
	if spec.Argv[0] != rt.Path {
		t.Errorf("argv %q", spec.Argv)
	}
	if m := spec.Mounts[0]; m.Source != "/clients/"+string(rt.Family) || m.Target != "/var/runtime" {
		t.Errorf("mount %+v", m)
	}
	if !slices.Equal(spec.Mounts[1:], rt.Mounts) {
		t.Errorf("mounts %+v", spec.Mounts)
	}
}

func hostRuntime(t *testing.T) Runtime {
	for _, rt := range hostSet(t).List() {
		if rt.Family != Provided {
			return rt
		}
	}
	t.Fatal("THIS MACHINE HAS NEITHER PYTHON NOR NODE.JS: the runtime clients can't be tested")
	panic("unreachable")
}
