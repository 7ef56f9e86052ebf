package runtimes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/runtimeapi"
)

func python(source string) project {
	return project{files: map[string]string{"app.py": source}, handler: "app.handler"}
}

func TestPythonAnswers(t *testing.T) {
	tests := []struct {
		rule    string
		project project
		payload string
		want    string
	}{
		{"the event is the parsed payload and the result becomes JSON",
			python("def handler(event, context):\n    return {'got': event['n'] + 1, 'none': None}"),
			`{"n": 41}`, `{"got": 42, "none": null}`},
		{"any JSON value is an event",
			python("def handler(event, context): return [event]"), `"text"`, `["text"]`},
		{"an async handler is awaited, on one loop for all invocations",
			python("import asyncio\nloops = []\nasync def handler(event, context):\n    await asyncio.sleep(0)\n    loops.append(asyncio.get_running_loop())\n    return loops[0] is loops[-1]"),
			`{}`, `true`},
		{"decimals are numbers and bytes are text inside a result",
			python("import decimal\ndef handler(event, context): return {'d': decimal.Decimal('1.50'), 'i': decimal.Decimal('7'), 'b': b'abc'}"),
			`{}`, `{"d": 1.50, "i": 7, "b": "abc"}`},
		{"a handler in a directory, with a slash",
			project{files: map[string]string{"src/web/app.py": "def main(e, c): return 'slash'"}, handler: "src/web/app.main"}, `{}`, `"slash"`},
		{"a handler in a package, with dots",
			project{files: map[string]string{"src/__init__.py": "", "src/app.py": "def main(e, c): return 'dots'"}, handler: "src.app.main"}, `{}`, `"dots"`},
		{"a class's instance can be the handler",
			python("class H:\n    def __call__(self, event, context): return 'called'\nhandler = H()"), `{}`, `"called"`},
		{"the task root is the working directory and first on the path",
			python("import os, sys\ndef handler(e, c): return [os.getcwd() == os.environ['LAMBDA_TASK_ROOT'], sys.path[0] == os.environ['LAMBDA_TASK_ROOT'], sys.path[2 if len([p for p in sys.path if p.startswith('/opt/python/lib')]) == 1 else 3]]"),
			`{}`, `[true, true, "/opt/python"]`},
		{"nothing of the client's directory is on the path",
			python("import os, sys\ndef handler(e, c): return os.environ['LAMBDA_RUNTIME_DIR'] in sys.path"), `{}`, `false`},
		{"PYTHONPATH is on the path without a new process",
			project{files: map[string]string{"app.py": "import extra\ndef handler(e, c): return extra.x", "vendor/extra.py": "x = 1"}, handler: "app.handler",
				env: map[string]string{"PYTHONPATH": "vendor"}}, `{}`, `1`},
		{"exit, quit and help exist as in any Python",
			python("def handler(e, c): return [callable(exit), callable(quit), callable(help)]"), `{}`, `[true, true, true]`},
		{"the time zone is UTC unless the function says otherwise",
			python("import time\ndef handler(e, c): return time.tzname[0]"), `{}`, `"UTC"`},
		{"the function's time zone counts",
			project{files: map[string]string{"app.py": "import time\ndef handler(e, c): return time.timezone"}, handler: "app.handler", env: map[string]string{"TZ": "XXX-3"}}, `{}`, `-10800`},
		{"modules of the standard library beyond the preloaded ones are there",
			python("import decimal, asyncio, http.client, urllib.request, zlib, hashlib\ndef handler(e, c): return hashlib.sha256(b'').hexdigest()[:4]"), `{}`, `"e3b0"`},
		{"multi-megabyte events and results pass",
			python("def handler(event, context): return {'n': len(event), 'echo': event}"),
			`"` + strings.Repeat("x", 4<<20) + `"`, `{"n": 4194304, "echo": "` + strings.Repeat("x", 4<<20) + `"}`},
	}
	eachRuntime(t, Python, func(t *testing.T, rt Runtime) {
		for _, test := range tests {
			t.Run(test.rule, func(t *testing.T) {
				t.Parallel()
				e := start(t, rt, test.project)
				for range 2 {
					r := e.invoke(test.payload)
					if r.Error || !sameJSON(t, string(r.Payload), test.want) {
						t.Fatalf("got %.300s (error: %v), want %.300s\noutput: %s", r.Payload, r.Error, test.want, e.logs())
					}
				}
			})
		}
	})
}

func TestPythonEscapesAsAWSDoes(t *testing.T) {
	eachRuntime(t, Python, func(t *testing.T, rt Runtime) {
		r := start(t, rt, python("def handler(e, c): return 'ü'")).invoke(`{}`)
		want := `"ü"`
		if ordinal(rt) < 12 {
			want = `"\u00fc"`
		}
		if string(r.Payload) != want {
			t.Errorf("got %s, want %s", r.Payload, want)
		}
	})
}

func TestPythonBytesAreTheAnswerItself(t *testing.T) {
	eachRuntime(t, Python, func(t *testing.T, rt Runtime) {
		r := start(t, rt, python("def handler(e, c): return b'\\x00raw'")).invoke(`{}`)
		if string(r.Payload) != "\x00raw" || r.ContentType != "application/unknown" {
			t.Errorf("got %q of type %s", r.Payload, r.ContentType)
		}
	})
}

func TestPythonContext(t *testing.T) {
	source := `
import os
def handler(event, context):
    remaining = context.get_remaining_time_in_millis()
    return {
        "function_name": context.function_name,
        "function_version": context.function_version,
        "invoked_function_arn": context.invoked_function_arn,
        "memory_limit_in_mb": context.memory_limit_in_mb,
        "aws_request_id": context.aws_request_id,
        "log_group_name": context.log_group_name,
        "log_stream_name": context.log_stream_name,
        "tenant_id": context.tenant_id,
        "identity": [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id],
        "client_context": context.client_context and [context.client_context.custom, context.client_context.env, context.client_context.client.app_title],
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        "remaining": 0 < remaining <= 3600000,
        "repr": repr(context).startswith("LambdaContext(["),
    }
`
	eachRuntime(t, Python, func(t *testing.T, rt Runtime) {
		e := start(t, rt, python(source))
		r := e.invokeWith(runtimeapi.Invocation{
			Payload:         []byte(`{}`),
			TraceID:         "Root=1-5759e988-bd862e3fe1be46a994272793",
			ClientContext:   `{"custom":{"a":1},"env":{"b":2},"client":{"app_title":"T"}}`,
			CognitoIdentity: `{"cognitoIdentityId":"id","cognitoIdentityPoolId":"pool"}`,
		})
		want := `{"function_name":"thing","function_version":"$LATEST","invoked_function_arn":"arn:aws:lambda:eu-central-1:123456789012:function:thing",
			"memory_limit_in_mb":"256","aws_request_id":"req-1","log_group_name":"/aws/lambda/thing","log_stream_name":"2026/11/23/[$LATEST]0123",
			"tenant_id":null,"identity":["id","pool"],"client_context":[{"a":1},{"b":2},"T"],"trace":"Root=1-5759e988-bd862e3fe1be46a994272793","remaining":true,"repr":true}`
		if !sameJSON(t, string(r.Payload), want) {
			t.Errorf("got  %s\nwant %s", r.Payload, want)
		}
		r = e.invokeWith(runtimeapi.Invocation{Payload: []byte(`{}`), Deadline: time.Now().Add(-time.Second)})
		var second struct {
			Trace, ClientContext any
			Remaining            bool
			Identity             []any
		}
		if err := json.Unmarshal(r.Payload, &second); err != nil || second.Trace != nil || second.ClientContext != nil || second.Remaining || second.Identity[0] != nil {
			t.Errorf("an invocation without extras: %s", r.Payload)
		}
	})
}

func TestPythonGoesOnAfterAnAnswerThatIsTooLarge(t *testing.T) {
	eachRuntime(t, Python, func(t *testing.T, rt Runtime) {
		e := start(t, rt, python("def handler(n, context): return 'x' * n"))
		if r := e.invoke("7000000"); r.TooLarge == 0 {
			t.Errorf("taken: %d bytes", len(r.Payload))
		}
		if r := e.invoke("3"); string(r.Payload) != `"xxx"` {
			t.Errorf("the next answer: %s", r.Payload)
		}
	})
}

func TestPythonErrors(t *testing.T) {
	tests := []struct {
		rule        string
		project     project
		payload     string
		kind        string
		message     string   // a regular expression
		stack       []string // a regular expression for each element
		logged      string
		wantsClient string // client context
	}{
		{rule: "an exception has the handler's frames only",
			project: python("def inner():\n    raise ValueError('no good')\ndef handler(event, context):\n    inner()"),
			kind:    "ValueError", message: "^no good$",
			stack:  []string{`^  File ".*/app.py", line 4, in handler\n    inner\(\)\n$`, `^  File ".*/app.py", line 2, in inner\n    raise ValueError\('no good'\)\n$`},
			logged: "[ERROR] ValueError: no good\rTraceback (most recent call last):\r\u00a0\u00a0File \""},
		{rule: "an exception in an async handler has no frames of the event loop",
			project: python("async def handler(event, context):\n    raise KeyError('k')"),
			kind:    "KeyError", message: "^'k'$", stack: []string{`^  File ".*/app.py", line 2, in handler\n`}},
		{rule: "an exception without message",
			project: python("def handler(event, context):\n    raise RuntimeError"),
			kind:    "RuntimeError", message: "^$", stack: []string{`app.py`}, logged: "[ERROR] RuntimeError\rTraceback"},
		{rule: "a handler that takes other arguments",
			project: python("def handler(): pass"),
			kind:    "TypeError", message: "^handler\\(\\) takes 0 positional arguments but 2 were given$"},
		{rule: "a result that is no JSON",
			project: python("def handler(event, context): return {1, 2}"),
			kind:    "Runtime.MarshalError", message: "^Unable to marshal response: Object of type set is not JSON serializable$",
			logged: "[ERROR] Runtime.MarshalError: Unable to marshal response: Object of type set is not JSON serializable\rTraceback (most recent call last):\n"},
		{rule: "an event that is no JSON",
			project: python("def handler(event, context): return 1"), payload: "{",
			kind: "Runtime.UnmarshalError", message: `^Unable to unmarshal input: Expecting property name enclosed in double quotes.*: line 1 column 2 \(char 1\)$`},
		{rule: "a client context that is no JSON",
			project: python("def handler(event, context): return 1"), wantsClient: "{",
			kind: "Runtime.LambdaContextUnmarshalError", message: `^Unable to parse Client Context JSON: Expecting property name enclosed in double quotes.*: line 1 column 2 \(char 1\)$`},
	}
	eachRuntime(t, Python, func(t *testing.T, rt Runtime) {
		for _, test := range tests {
			t.Run(test.rule, func(t *testing.T) {
				t.Parallel()
				e := start(t, rt, test.project)
				inv := runtimeapi.Invocation{Payload: []byte(test.payload), ClientContext: test.wantsClient}
				if test.payload == "" {
					inv.Payload = []byte(`{}`)
				}
				r := e.invokeWith(inv)
				f := parseFailure(t, r.Payload)
				if !r.Error || r.ErrorType != test.kind || f.ErrorType != test.kind || !regexp.MustCompile(test.message).MatchString(f.ErrorMessage) || f.RequestID != "req-1" {
					t.Errorf("got %s (type %s), want %s: %s", r.Payload, r.ErrorType, test.kind, test.message)
				}
				if len(f.StackTrace) != len(test.stack) {
					t.Fatalf("stack trace %q, want %q", f.StackTrace, test.stack)
				}
				for i, pattern := range test.stack {
					if !regexp.MustCompile(pattern).MatchString(f.StackTrace[i]) {
						t.Errorf("frame %d is %q, want %q", i, f.StackTrace[i], pattern)
					}
				}
				if logs := e.logs(); !strings.Contains(logs, test.logged) {
					t.Errorf("log %q, want %q in it", logs, test.logged)
				}
				if r := e.invokeWith(inv); r.ErrorType != test.kind {
					t.Errorf("the next invocation: %s", r.Payload)
				}
			})
		}
	})
}

func TestPythonInitErrors(t *testing.T) {
	tests := []struct {
		rule    string
		project project
		kind    string
		message string // regular expression
		stack   string // regular expression on the last frame
	}{
		{"a module that isn't there", project{handler: "app.handler"},
			"Runtime.ImportModuleError", `^Unable to import module 'app': No module named 'app'$`, ""},
		{"a module that imports one that isn't there", python("import nothing_such"),
			"Runtime.ImportModuleError", `^Unable to import module 'app': No module named 'nothing_such'$`, ""},
		{"a module with a syntax error", python("def handler(event, context:\n    pass"),
			"Runtime.UserCodeSyntaxError", `^Syntax error in module 'app': .* \(app\.py, line \d\)$`, `^  File ".*/app\.py" Line \d\n`},
		{"a module without the handler", python("x = 1"),
			"Runtime.HandlerNotFound", `^Handler 'handler' missing on module 'app'$`, ""},
		{"a handler name without dot", project{handler: "app"},
			"Runtime.MalformedHandlerName", `^Bad handler 'app': not enough values to unpack \(expected 2, got 1\)$`, ""},
		{"a module with the name of a built-in one", project{handler: "sys.handler"},
			"Runtime.BuiltInModuleConflict", `^Cannot use built-in module sys as a handler module$`, ""},
		{"an exception while importing", python("raise OSError('early')"),
			"OSError", `^early$`, `^  File ".*/app\.py", line 1, in <module>\n    raise OSError\('early'\)\n$`},
	}
	eachRuntime(t, Python, func(t *testing.T, rt Runtime) {
		for _, test := range tests {
			t.Run(test.rule, func(t *testing.T) {
				t.Parallel()
				e := start(t, rt, test.project)
				report := e.initError()
				f := parseFailure(t, report.Payload)
				if f.ErrorType != test.kind || report.ErrorType != test.kind || !regexp.MustCompile(test.message).MatchString(f.ErrorMessage) {
					t.Errorf("got %s (type %s), want %s: %s", report.Payload, report.ErrorType, test.kind, test.message)
				}
				if test.stack == "" && len(f.StackTrace) > 0 {
					t.Errorf("stack trace %q", f.StackTrace)
				}
				if test.stack != "" && (len(f.StackTrace) == 0 || !regexp.MustCompile(test.stack).MatchString(f.StackTrace[len(f.StackTrace)-1])) {
					t.Errorf("stack trace %q, want at its end %q", f.StackTrace, test.stack)
				}
				if code := e.exit(); code != 1 {
					t.Errorf("exit code %d, want 1", code)
				}
				if logs := e.logs(); !strings.HasPrefix(logs, "[ERROR] "+test.kind+": ") {
					t.Errorf("log %q", logs)
				}
			})
		}
	})
}

func TestPythonProcessEnds(t *testing.T) {
	tests := []struct {
		rule, source string
		code         int
		output       string
	}{
		{"sys.exit in a handler", "import sys\ndef handler(e, c):\n    print('bye', end='')\n    sys.exit(3)", 3, "bye"},
		{"sys.exit in an async handler", "import sys\nasync def handler(e, c):\n    sys.exit(4)", 4, ""},
		{"sys.exit while importing", "import sys\nsys.exit(5)", 5, ""},
		{"a signal", "import os, signal\ndef handler(e, c):\n    os.kill(os.getpid(), signal.SIGKILL)", -1, ""},
	}
	eachRuntime(t, Python, func(t *testing.T, rt Runtime) {
		for _, test := range tests {
			t.Run(test.rule, func(t *testing.T) {
				t.Parallel()
				e := start(t, rt, python(test.source))
				if r, err := e.try(runtimeapi.Invocation{Payload: []byte(`{}`)}); err == nil && r.ErrorType != "" {
					t.Errorf("answered %s", r.Payload)
				}
				if code := e.exit(); code != test.code {
					t.Errorf("exit code %d, want %d", code, test.code)
				}
				if logs := e.logs(); logs != test.output {
					t.Errorf("output %q, want %q", logs, test.output)
				}
			})
		}
	})
}

func TestPythonLogs(t *testing.T) {
	stamp := `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`
	tests := []struct {
		rule    string
		project project
		want    string // regular expression for the whole log of the first invocation
	}{
		{"what is printed is there before the answer, a last line without end, too",
			python("def handler(e, c):\n    print('one')\n    print('two', end='')"), `^one\ntwo$`},
		{"standard error, too, in order",
			python("import sys\ndef handler(e, c):\n    print('out')\n    print('err', file=sys.stderr)\n    print('out')"), `^out\nerr\nout\n$`},
		{"the output of child processes is in order",
			python("import subprocess\ndef handler(e, c):\n    print('a')\n    subprocess.run(['echo', 'b'])\n    print('c')"), `^a\nb\nc\n$`},
		{"logging has Lambda's format and level",
			python("import logging\ndef handler(e, c):\n    logging.info('unseen')\n    logging.warning('seen %d', 1)"),
			`^\[WARNING\]\t` + stamp + `\treq-1\tseen 1\n$`},
		{"a function can set the level of the root logger",
			python("import logging\nlogging.getLogger().setLevel(logging.INFO)\nlogging.info('init')\ndef handler(e, c):\n    logging.getLogger('x').info('seen')"),
			`^\[INFO\]\t` + stamp + `\t\tinit\n\[INFO\]\t` + stamp + `\treq-1\tseen\n$`},
		{"context.log writes as it is",
			python("def handler(e, c):\n    c.log('plain\\n')"), `^plain\n$`},
		{"JSON logging",
			project{files: map[string]string{"app.py": "import logging\ndef handler(e, c):\n    logging.info('hello', extra={'k': 1})\n    try:\n        1/0\n    except Exception:\n        logging.exception('oops')"}, handler: "app.handler", logging: `{"LogFormat":"JSON"}`},
			`^\{"timestamp": "` + stamp + `", "level": "INFO", "message": "hello", "logger": "root", "requestId": "req-1", "k": 1\}\n\{.*"message": "oops".*"stackTrace": \[.*"errorType": "ZeroDivisionError", "errorMessage": "division by zero".*"location": ".*app.py:handler:7"\}\n$`},
		{"JSON logging with a level",
			project{files: map[string]string{"app.py": "import logging\ndef handler(e, c):\n    logging.warning('unseen')\n    logging.error('seen')"}, handler: "app.handler", logging: `{"LogFormat":"JSON","ApplicationLogLevel":"ERROR"}`},
			`^\{.*"message": "seen".*\}\n$`},
	}
	eachRuntime(t, Python, func(t *testing.T, rt Runtime) {
		for _, test := range tests {
			t.Run(test.rule, func(t *testing.T) {
				t.Parallel()
				e := start(t, rt, test.project)
				if r := e.invoke(`{}`); r.Error {
					t.Fatalf("%s", r.Payload)
				}
				if logs := e.logs(); !regexp.MustCompile(test.want).MatchString(logs) {
					t.Errorf("log %q, want %q", logs, test.want)
				}
			})
		}
	})
}

// Whatever works only from a process's first moment makes a new process.
func TestPythonNewProcess(t *testing.T) {
	tests := []struct {
		rule    string
		project project
		want    string
	}{
		{"for a variable of the interpreter",
			project{files: map[string]string{"app.py": "import sys\ndef handler(e, c): return sys.flags.optimize"}, handler: "app.handler", env: map[string]string{"PYTHONOPTIMIZE": "1"}}, `1`},
		{"for a variable of the loader",
			project{files: map[string]string{"app.py": "import os\ndef handler(e, c): return os.environ['LD_LIBRARY_PATH']"}, handler: "app.handler", env: map[string]string{"LD_LIBRARY_PATH": "/tmp/nowhere"}}, `"/tmp/nowhere"`},
		{"for a wrapper",
			project{files: map[string]string{"app.py": "import os\ndef handler(e, c): return os.environ['WRAPPED']", "wrap.sh": "#!/bin/sh\nexport WRAPPED=\"$1 $#\"\nexport WRAPPED=yes\nexec \"$@\"\n"}, handler: "app.handler", env: map[string]string{"AWS_LAMBDA_EXEC_WRAPPER": taskRoot + "/wrap.sh"}}, `"yes"`},
		{"for shared libraries in lib",
			project{files: map[string]string{"app.py": "def handler(e, c): return 'lib'", "lib/libx.so.1": ""}, handler: "app.handler"}, `"lib"`},
		{"and sitecustomize runs in it",
			project{files: map[string]string{"app.py": "import builtins\ndef handler(e, c): return builtins.customized", "site/sitecustomize.py": "import builtins\nbuiltins.customized = 1"}, handler: "app.handler",
				env: map[string]string{"PYTHONPATH": "site", "PYTHONNOUSERSITE": "1"}}, `1`},
	}
	eachRuntime(t, Python, func(t *testing.T, rt Runtime) {
		for _, test := range tests {
			t.Run(test.rule, func(t *testing.T) {
				t.Parallel()
				e := start(t, rt, test.project)
				if r := e.invoke(`{}`); r.Error || string(r.Payload) != test.want {
					t.Errorf("got %s, want %s\n%s", r.Payload, test.want, e.logs())
				}
			})
		}
		t.Run("a wrapper that can't be executed ends like a shell", func(t *testing.T) {
			e := start(t, rt, project{handler: "app.handler", env: map[string]string{"AWS_LAMBDA_EXEC_WRAPPER": "/opt/none"}})
			if code := e.exit(); code != 127 || e.logs() != "/opt/none: No such file or directory\n" {
				t.Errorf("exit code %d, output %q", code, e.logs())
			}
		})
	})
}

func TestPythonSeesOnlyItsEnvironment(t *testing.T) {
	eachRuntime(t, Python, func(t *testing.T, rt Runtime) {
		p := python("import os\ndef handler(e, c): return sorted(os.environ)")
		p.env = map[string]string{"MINE": "ü=1", "AWS_REGION": "mine"}
		e := start(t, rt, p)
		var names []string
		if err := json.Unmarshal(e.invoke(`{}`).Payload, &names); err != nil {
			t.Fatal(err)
		}
		want := "AWS_DEFAULT_REGION AWS_EXECUTION_ENV AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_VERSION AWS_LAMBDA_INITIALIZATION_TYPE AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME AWS_LAMBDA_RUNTIME_API AWS_REGION AWS_XRAY_CONTEXT_MISSING AWS_XRAY_DAEMON_ADDRESS LAMBDA_RUNTIME_DIR LAMBDA_TASK_ROOT LANG LD_LIBRARY_PATH MINE PATH PYTHONPATH TZ _HANDLER"
		if got := strings.Join(names, " "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// The client's module is compiled when it is installed, not at every boot.
func TestPythonClientIsCompiled(t *testing.T) {
	eachRuntime(t, Python, func(t *testing.T, rt Runtime) {
		pattern := filepath.Join(hostSet(t).clientDir, "python/hearth_runtime/__pycache__/server.cpython-"+strings.ReplaceAll(strings.TrimPrefix(rt.Name, "python"), ".", "")+".pyc")
		if _, err := os.Stat(pattern); err != nil {
			t.Error(err)
		}
	})
}
