package runtimes

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/sandbox"
)

// runtimeAPI is where every environment finds its Runtime API.
const runtimeAPI = "127.0.0.1:9001"

// mbPerCPU is the memory that comes with one whole CPU in Lambda.
const mbPerCPU = 1769

// Launch is what one environment gets besides its revision.
type Launch struct {
	Region string
	// LogGroup and LogStream name the environment's log. An empty LogGroup
	// means /aws/lambda/<function>.
	LogGroup  string
	LogStream string
	// TaskDir and OptDirs are the code and the layers on the host, as in
	// sandbox.AttachSpec. Start looks into them for what decides how the
	// process must start: a custom runtime's bootstrap, shared libraries.
	TaskDir string
	OptDirs []string
	// Initialization says what it is initialised for; "" is OnDemandInit.
	Initialization Initialization
	// Memory is what the environment starts with; 0 means what the revision
	// asks for.
	Memory function.MemoryMB
}

// Initialization is the value of AWS_LAMBDA_INITIALIZATION_TYPE.
type Initialization string

// What an environment may be initialised for.
const (
	OnDemandInit    Initialization = "on-demand"
	ProvisionedInit Initialization = "provisioned-concurrency"
)

// EntrypointError is returned by [Set.Start] when the code has nothing to
// execute. It is an error of the function, to be shown to its caller.
type EntrypointError struct {
	// Type is Lambda's errorType.
	Type    string
	Message string
}

func (e *EntrypointError) Error() string { return e.Type + ": " + e.Message }

// Start returns the start message that makes an environment booted from rt
// serve rev. The only error is an [*EntrypointError].
func (s *Set) Start(rt Runtime, rev *function.Revision, l Launch) (sandbox.StartSpec, error) {
	env := variables(rt, rev, l)
	if rt.Family == Provided {
		program, err := bootstrap(l)
		if err != nil {
			return sandbox.StartSpec{}, err
		}
		return sandbox.StartSpec{Argv: []string{program}, Env: env}, nil
	}
	spec := sandbox.StartSpec{Env: env}
	if wrapper := rev.Config.Environment["AWS_LAMBDA_EXEC_WRAPPER"]; wrapper != "" {
		spec.Argv = append([]string{wrapper}, command(rt)...)
	} else if needsNewProgram(rt, rev, l) {
		spec.Argv = command(rt)
	}
	return spec, nil
}

// bootstrap returns the path, in the environment, of the executable that
// serves a custom runtime: the code's, else a layer's.
func bootstrap(l Launch) (string, error) {
	invalid := "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
	for i, dir := range append([]string{l.TaskDir}, l.OptDirs...) {
		shown := layerRoot + "/bootstrap"
		if i == 0 {
			shown = taskRoot + "/bootstrap"
		}
		program := filepath.Join(dir, "bootstrap")
		if executable(program) {
			return shown, nil
		}
		if fi, err := os.Stat(program); err == nil {
			invalid = fmt.Sprintf("%s is not executable: its mode is %v", shown, fi.Mode())
		}
	}
	return "", &EntrypointError{Type: "Runtime.InvalidEntrypoint", Message: invalid}
}

func executable(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0
}

// needsNewProgram reports whether something the function brings works only for
// a program that starts with it, so that the pre-booted one must be replaced.
func needsNewProgram(rt Runtime, rev *function.Revision, l Launch) bool {
	for name := range rev.Config.Environment {
		if actsAtStart(rt.Family, name) {
			return true
		}
	}
	dirs := append([]string{l.TaskDir}, l.OptDirs...)
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		if libs, _ := filepath.Glob(filepath.Join(dir, "lib", "*.so*")); len(libs) > 0 {
			return true
		}
	}
	return false
}

// actsAtStart reports whether a variable is read by the loader, the C library
// or the interpreter before a client could set it.
func actsAtStart(family Family, name string) bool {
	for _, prefix := range []string{"LD_", "MALLOC_", "GLIBC_", "LC_", "OPENSSL_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	if name == "LANG" || name == "LANGUAGE" {
		return true
	}
	switch family {
	case Python:
		switch name {
		case "PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE":
			return false // the client does what they ask for
		}
		return strings.HasPrefix(name, "PYTHON")
	case NodeJS:
		switch name {
		case "NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "NODE_DEBUG", "NODE_DEBUG_NATIVE", "NODE_ICU_DATA",
			"NODE_NO_WARNINGS", "NODE_PENDING_DEPRECATION", "NODE_PRESERVE_SYMLINKS", "NODE_PRESERVE_SYMLINKS_MAIN",
			"NODE_REDIRECT_WARNINGS", "NODE_USE_ENV_PROXY", "NODE_USE_SYSTEM_CA", "NODE_V8_COVERAGE", "NODE_COMPILE_CACHE":
			return true
		}
		return strings.HasPrefix(name, "UV_")
	}
	return false
}

// variables is the environment block, in the order of Lambda's documentation.
func variables(rt Runtime, rev *function.Revision, l Launch) []string {
	own := rev.Config.Environment
	memory := cmp.Or(l.Memory, rev.Config.Memory)
	group := l.LogGroup
	if group == "" {
		group = "/aws/lambda/" + rev.Name
	}
	var logging struct{ LogFormat, ApplicationLogLevel string }
	if raw := rev.Config.Extra["LoggingConfig"]; raw != nil {
		_ = json.Unmarshal(raw, &logging) // the API took it; what it isn't, it isn't
	}
	block := make([]string, 0, 24+len(own))
	set := func(name, value string) { block = append(block, name+"="+value) }

	set("_HANDLER", rev.Config.Handler)
	set("AWS_REGION", l.Region)
	set("AWS_DEFAULT_REGION", l.Region)
	if rt.Family != Provided { // as documented: OS-only runtimes don't have it
		set("AWS_EXECUTION_ENV", "AWS_Lambda_"+rev.Config.Runtime)
	}
	set("AWS_LAMBDA_FUNCTION_NAME", rev.Name)
	set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", strconv.Itoa(int(memory)))
	set("AWS_LAMBDA_FUNCTION_VERSION", rev.Version)
	set("AWS_LAMBDA_INITIALIZATION_TYPE", string(cmp.Or(l.Initialization, OnDemandInit)))
	set("AWS_LAMBDA_LOG_GROUP_NAME", group)
	set("AWS_LAMBDA_LOG_STREAM_NAME", l.LogStream)
	if logging.LogFormat == "JSON" {
		set("AWS_LAMBDA_LOG_FORMAT", "JSON")
		set("AWS_LAMBDA_LOG_LEVEL", cmp.Or(logging.ApplicationLogLevel, "INFO"))
	}
	set("AWS_LAMBDA_RUNTIME_API", runtimeAPI)
	set("LAMBDA_TASK_ROOT", taskRoot)
	set("LAMBDA_RUNTIME_DIR", runtimeDir)

	// The function may replace these.
	for _, d := range defaults(rt, memory) {
		if _, replaced := own[d.name]; !replaced {
			set(d.name, d.value)
		}
	}
	for name, value := range own {
		if !Reserved(name) {
			set(name, value)
		}
	}
	return block
}

type variable struct{ name, value string }

// defaults are the variables that Lambda sets and lets a function replace.
func defaults(rt Runtime, memory function.MemoryMB) []variable {
	path := bootPath + ":/opt/bin"
	if rt.Path != "" {
		if dir := filepath.Dir(rt.Path); dir != "/usr/bin" && dir != "/bin" && dir != "/usr/local/bin" {
			path = dir + ":" + path // children find the same interpreter
		}
	}
	vars := []variable{
		{"PATH", path},
		{"LANG", "en_US.UTF-8"},
		{"TZ", ":UTC"},
		{"LD_LIBRARY_PATH", "/var/task:/var/task/lib:/opt/lib"},
		{"AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"},
		{"AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000"},
	}
	switch rt.Family {
	case Provided:
		if memory <= mbPerCPU {
			// A Go program counts the machine's CPUs. With a share of one, a
			// second thread only wakes up others and uses the share up sooner.
			vars = append(vars, variable{"GOMAXPROCS", "1"})
		}
	case Python:
		vars = append(vars, variable{"PYTHONPATH", runtimeDir})
	case NodeJS:
		vars = append(vars, variable{"NODE_PATH", fmt.Sprintf("/opt/nodejs/node%d/node_modules:/opt/nodejs/node_modules:%s/node_modules:%s:%s", ordinal(rt), runtimeDir, runtimeDir, taskRoot)})
	}
	return vars
}

// reserved are the variables a function can't set (Lambda's documentation,
// "Reserved environment variables"). The credentials are not among them: Hearth
// has none to give, and a function may bring its own.
var reserved = map[string]bool{
	"_HANDLER":                        true,
	"_X_AMZN_TRACE_ID":                true,
	"AWS_DEFAULT_REGION":              true,
	"AWS_REGION":                      true,
	"AWS_EXECUTION_ENV":               true,
	"AWS_LAMBDA_FUNCTION_NAME":        true,
	"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": true,
	"AWS_LAMBDA_FUNCTION_VERSION":     true,
	"AWS_LAMBDA_INITIALIZATION_TYPE":  true,
	"AWS_LAMBDA_LOG_GROUP_NAME":       true,
	"AWS_LAMBDA_LOG_STREAM_NAME":      true,
	"AWS_LAMBDA_RUNTIME_API":          true,
	"LAMBDA_TASK_ROOT":                true,
	"LAMBDA_RUNTIME_DIR":              true,
	"HEARTH_CONTROL_FD":               true,
}

// Reserved reports whether Hearth sets the variable itself, so that a function
// can't.
func Reserved(name string) bool { return reserved[name] }
