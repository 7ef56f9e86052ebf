package runtimes

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/runtimeapi"
)

func nodejs(source string) project {
	return project{files: map[string]string{"index.js": source}, handler: "index.handler"}
}

func nodeFile(name, source string) project {
	return project{files: map[string]string{name: source}, handler: "index.handler"}
}

func TestNodeAnswers(t *testing.T) {
	tests := []struct {
		rule    string
		project project
		payload string
		want    string
	}{
		{"an async handler", nodejs("exports.handler = async (event) => ({ got: event.n + 1 })"), `{"n":41}`, `{"got":42}`},
		{"a handler that returns a promise", nodejs("exports.handler = (event) => Promise.resolve([event])"), `"x"`, `["x"]`},
		{"nothing becomes null", nodejs("exports.handler = async () => {}"), `{}`, `null`},
		{"a callback", nodejs("exports.handler = (event, context, callback) => callback(null, 'called')"), `{}`, `"called"`},
		{"a callback waits for the empty event loop",
			nodejs("exports.handler = (event, context, callback) => { const done = { later: false }; setTimeout(() => { done.later = true; }, 30); callback(null, done); }"), `{}`, `{"later":true}`},
		{"a callback that doesn't wait",
			nodejs("exports.handler = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; setInterval(() => {}, 1000); callback(null, context.callbackWaitsForEmptyEventLoop); }"), `{}`, `false`},
		{"context.succeed", nodejs("exports.handler = (event, context) => { context.succeed('s'); }"), `{}`, `"s"`},
		{"context.done", nodejs("exports.handler = (event, context) => { setTimeout(() => context.done(null, 'd'), 5); }"), `{}`, `"d"`},
		{"only the first answer counts", nodejs("exports.handler = (event, context) => { context.succeed(1); context.succeed(2); context.fail('3'); }"), `{}`, `1`},
		{"a handler that neither answers nor waits", nodejs("exports.handler = () => {}"), `{}`, `null`},
		{"an ES module by extension", nodeFile("index.mjs", "import fs from 'fs';\nexport const handler = async () => typeof fs.readFileSync"), `{}`, `"function"`},
		{"an ES module by package.json", project{files: map[string]string{"index.js": "export const handler = async () => import.meta.url.startsWith('file:')", "package.json": `{"type":"module"}`}, handler: "index.handler"}, `{}`, `true`},
		{"top-level await", nodeFile("index.mjs", "const x = await new Promise((resolve) => setTimeout(resolve, 5, 'awaited'));\nexport const handler = async () => x"), `{}`, `"awaited"`},
		{"a CommonJS module by extension in an ES package", project{files: map[string]string{"index.cjs": "exports.handler = async () => typeof require", "package.json": `{"type":"module"}`}, handler: "index.handler"}, `{}`, `"function"`},
		{"a module in a directory, a member of a member", project{files: map[string]string{"src/web.js": "exports.api = { get: async () => 'deep' }"}, handler: "src/web.api.get"}, `{}`, `"deep"`},
		{"a directory with an index", project{files: map[string]string{"src/index.js": "exports.handler = async () => 'dir'"}, handler: "src.handler"}, `{}`, `"dir"`},
		{"a package as the handler's module", project{files: map[string]string{"node_modules/pkg/index.js": "exports.handler = async () => 'pkg'"}, handler: "pkg.handler"}, `{}`, `"pkg"`},
		{"NODE_PATH counts", project{files: map[string]string{"index.js": "exports.handler = async () => require('far')", "elsewhere/far.js": "module.exports = 'far'"}, handler: "index.handler", env: map[string]string{"NODE_PATH": "elsewhere"}}, `{}`, `"far"`},
		{"the task root is the working directory", nodejs("exports.handler = async () => process.cwd() === process.env.LAMBDA_TASK_ROOT"), `{}`, `true`},
		{"the function's time zone counts", project{files: map[string]string{"index.js": "exports.handler = async () => new Date(0).getHours()"}, handler: "index.handler", env: map[string]string{"TZ": "Asia/Tokyo"}}, `{}`, `9`},
		{"multi-megabyte events and results pass", nodejs("exports.handler = async (event) => ({ n: event.length, echo: event })"),
			`"` + strings.Repeat("é", 2<<20) + `"`, `{"n":2097152,"echo":"` + strings.Repeat("é", 2<<20) + `"}`},
		{"a streaming handler", nodejs("exports.handler = awslambda.streamifyResponse(async (event, stream, context) => { stream.setContentType('text/plain'); stream.write('\"a'); stream.write(Buffer.from('b')); stream.end('c\"'); })"), `{}`, `"abc"`},
		{"a streaming pipeline", nodejs("const { pipeline } = require('stream/promises'); const { Readable } = require('stream');\nexports.handler = awslambda.streamifyResponse(async (event, stream) => { await pipeline(Readable.from(['[1', ',2]']), stream); })"), `{}`, `[1,2]`},
		{"a streaming handler that isn't async and ends its stream", nodejs("exports.handler = awslambda.streamifyResponse((event, stream) => { stream.end('1'); })"), `{}`, `1`},
		{"a streaming handler that goes on after its stream", nodejs("exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.end('1'); await new Promise((resolve) => setTimeout(resolve, 5)); })"), `{}`, `1`},
		{"a streaming handler that writes nothing but an object", nodejs("exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write({ o: 1 }); stream.end(); })"), `{}`, `{"o":1}`},
	}
	eachRuntime(t, NodeJS, func(t *testing.T, rt Runtime) {
		for _, test := range tests {
			t.Run(test.rule, func(t *testing.T) {
				t.Parallel()
				e := start(t, rt, test.project)
				for range 3 {
					r := e.invoke(test.payload)
					if r.Error || !sameJSON(t, string(r.Payload), test.want) {
						t.Fatalf("got %.300s (error: %v), want %.300s\noutput: %s", r.Payload, r.Error, test.want, e.logs())
					}
				}
			})
		}
	})
}

func TestNodeStreamedHTTPResponse(t *testing.T) {
	eachRuntime(t, NodeJS, func(t *testing.T, rt Runtime) {
		e := start(t, rt, nodejs("exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 }); stream.write('body'); stream.end(); })"))
		r := e.invoke(`{}`)
		if string(r.Payload) != "{\"statusCode\":201}\x00\x00\x00\x00\x00\x00\x00\x00body" || r.ContentType != "application/vnd.awslambda.http-integration-response" {
			t.Errorf("got %q of type %s", r.Payload, r.ContentType)
		}
	})
}

func TestNodeContext(t *testing.T) {
	source := `
exports.handler = async (event, context) => ({
  functionName: context.functionName,
  functionVersion: context.functionVersion,
  invokedFunctionArn: context.invokedFunctionArn,
  memoryLimitInMB: context.memoryLimitInMB,
  awsRequestId: context.awsRequestId,
  logGroupName: context.logGroupName,
  logStreamName: context.logStreamName,
  identity: context.identity,
  clientContext: context.clientContext,
  waits: context.callbackWaitsForEmptyEventLoop,
  remaining: context.getRemainingTimeInMillis() > 0 && context.getRemainingTimeInMillis() <= 3600000,
  trace: process.env._X_AMZN_TRACE_ID,
});`
	eachRuntime(t, NodeJS, func(t *testing.T, rt Runtime) {
		e := start(t, rt, nodejs(source))
		r := e.invokeWith(runtimeapi.Invocation{
			Payload:         []byte(`{}`),
			TraceID:         "Root=1-5759e988-bd862e3fe1be46a994272793",
			ClientContext:   `{"custom":{"a":1}}`,
			CognitoIdentity: `{"cognitoIdentityId":"id"}`,
		})
		want := `{"functionName":"thing","functionVersion":"$LATEST","invokedFunctionArn":"arn:aws:lambda:eu-central-1:123456789012:function:thing",
			"memoryLimitInMB":"256","awsRequestId":"req-1","logGroupName":"/aws/lambda/thing","logStreamName":"2026/11/23/[$LATEST]0123",
			"identity":{"cognitoIdentityId":"id"},"clientContext":{"custom":{"a":1}},"waits":true,"remaining":true,"trace":"Root=1-5759e988-bd862e3fe1be46a994272793"}`
		if !sameJSON(t, string(r.Payload), want) {
			t.Errorf("got  %s\nwant %s", r.Payload, want)
		}
		r = e.invokeWith(runtimeapi.Invocation{Payload: []byte(`{}`), Deadline: time.Now().Add(-time.Second)})
		var second map[string]any
		if err := json.Unmarshal(r.Payload, &second); err != nil || second["trace"] != nil || second["clientContext"] != nil || second["remaining"] != false {
			t.Errorf("an invocation without extras: %s", r.Payload)
		}
	})
}

func TestNodeGoesOnAfterAnAnswerThatIsTooLarge(t *testing.T) {
	eachRuntime(t, NodeJS, func(t *testing.T, rt Runtime) {
		e := start(t, rt, nodejs("exports.handler = async (n) => 'x'.repeat(n)"))
		if r := e.invoke("7000000"); r.TooLarge == 0 {
			t.Errorf("taken: %d bytes", len(r.Payload))
		}
		if r := e.invoke("3"); string(r.Payload) != `"xxx"` {
			t.Errorf("the next answer: %s", r.Payload)
		}
	})
}

func TestNodeErrors(t *testing.T) {
	const noExit = 0
	tests := []struct {
		rule    string
		project project
		kind    string
		message string
		trace   []string // how its first lines begin
		logged  string
		code    int // the process ends with it, unless noExit
	}{
		{"an error thrown by an async handler", nodejs("exports.handler = async () => { throw new TypeError('no good') }"),
			"TypeError", "no good", []string{"TypeError: no good", "    at "},
			"\treq-1\tERROR\tInvoke Error \t{\"errorType\":\"TypeError\",\"errorMessage\":\"no good\",\"stack\":[\"TypeError: no good\",\"", noExit},
		{"an error thrown by a sync handler", nodejs("exports.handler = () => { throw new Error('sync') }"),
			"Error", "sync", []string{"Error: sync", "    at "}, "Invoke Error", noExit},
		{"an error given to the callback", nodejs("exports.handler = (e, c, callback) => callback(new RangeError('cb'))"),
			"RangeError", "cb", []string{"RangeError: cb", "    at "}, "Invoke Error", noExit},
		{"a text given to the callback", nodejs("exports.handler = (e, c, callback) => callback('text')"),
			"string", "text", nil, "Invoke Error", noExit},
		{"context.fail without error", nodejs("exports.handler = (e, context) => context.fail()"),
			"string", "handled", nil, "Invoke Error", noExit},
		{"an error with a name of its own", nodejs("class Mine extends Error { constructor(m) { super(m); this.name = 'Mine'; this.extra = 7; } }\nexports.handler = async () => { throw new Mine('own') }"),
			"Mine", "own", []string{"Mine: own"}, "\"extra\":7", noExit},
		{"a result that is no JSON", nodejs("exports.handler = async () => { const a = {}; a.a = a; return a; }"),
			"Error", "Unable to stringify response body", []string{"Error: Unable to stringify response body"}, "Invoke Error", noExit},
		{"a promise that nobody settles", nodejs("exports.handler = async () => new Promise(() => {})"),
			"Runtime.NodeJsExit", "The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise that was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes",
			[]string{"Runtime.NodeJsExit: The"}, "Invoke Error", noExit},
		{"a rejection nobody handles", nodejs("exports.handler = (e, c, callback) => { Promise.reject(new Error('lost')); setTimeout(() => callback(null, 1), 1000); }"),
			"Runtime.UnhandledPromiseRejection", "Error: lost", []string{"Runtime.UnhandledPromiseRejection: Error: lost"},
			"ERROR\tUnhandled Promise Rejection \t{\"errorType\":\"Runtime.UnhandledPromiseRejection\",\"errorMessage\":\"Error: lost\",\"reason\":{\"errorType\":\"Error\"", 128},
		{"an exception nobody catches", nodejs("exports.handler = async () => { setTimeout(() => { throw new Error('astray') }, 1); return new Promise(() => setTimeout(() => {}, 10000)); }"),
			"Error", "astray", []string{"Error: astray"}, "ERROR\tUncaught Exception \t{\"errorType\":\"Error\",\"errorMessage\":\"astray\"", 129},
	}
	eachRuntime(t, NodeJS, func(t *testing.T, rt Runtime) {
		for _, test := range tests {
			t.Run(test.rule, func(t *testing.T) {
				t.Parallel()
				e := start(t, rt, test.project)
				r := e.invoke(`{}`)
				f := parseFailure(t, r.Payload)
				if !r.Error || r.ErrorType != test.kind || f.ErrorType != test.kind || f.ErrorMessage != test.message {
					t.Errorf("got %s (type %s), want %s: %s", r.Payload, r.ErrorType, test.kind, test.message)
				}
				for i, begin := range test.trace {
					if i >= len(f.Trace) || !strings.HasPrefix(f.Trace[i], begin) {
						t.Errorf("trace %q, want line %d to begin with %q", f.Trace, i, begin)
					}
				}
				if logs := e.logs(); !strings.Contains(logs, test.logged) {
					t.Errorf("log %q, want %q in it", logs, test.logged)
				}
				if test.code != noExit {
					if code := e.exit(); code != test.code {
						t.Errorf("exit code %d, want %d", code, test.code)
					}
				} else if r := e.invoke(`{}`); r.ErrorType != test.kind {
					t.Errorf("the next invocation: %s", r.Payload)
				}
			})
		}
	})
}

func TestNodeStreamingErrors(t *testing.T) {
	tests := []struct{ rule, source, kind, message string }{
		{"an error before the first byte", "async () => { throw new Error('early') }", "Error", "early"},
		{"an error in the middle", "async (event, stream) => { stream.write('half'); throw new RangeError('late') }", "RangeError", "late"},
		{"a stream that isn't ended", "async (event, stream) => { stream.write('half') }", "string", "Response stream is not finished."},
		{"a handler that isn't async", "(event, stream) => { stream.write('x') }", "string", "Streaming does not support non-async handlers."},
		{"a promise that nobody settles", "async (event, stream) => { stream.write('half'); await new Promise(() => {}) }", "Runtime.NodeJsExit", "The Lambda runtime client detected an unexpected Node.js exit code."},
	}
	eachRuntime(t, NodeJS, func(t *testing.T, rt Runtime) {
		for _, test := range tests {
			t.Run(test.rule, func(t *testing.T) {
				t.Parallel()
				e := start(t, rt, nodejs("exports.handler = awslambda.streamifyResponse("+test.source+")"))
				for range 2 {
					r := e.invoke(`{}`)
					if f := parseFailure(t, r.Payload); !r.Error || f.ErrorType != test.kind || !strings.HasPrefix(f.ErrorMessage, test.message) {
						t.Errorf("got %s, want %s: %s", r.Payload, test.kind, test.message)
					}
				}
			})
		}
	})
}

func TestNodeInitErrors(t *testing.T) {
	tests := []struct {
		rule    string
		project project
		kind    string
		message string // regular expression
		trace   string // in the trace
		code    int
	}{
		{"a module that isn't there", project{handler: "index.handler"},
			"Runtime.ImportModuleError", `^Error: Cannot find module 'index'\nRequire stack:\n- .*handler\.cjs`, "Runtime.ImportModuleError: Error: Cannot find module", 129},
		{"a module that requires one that isn't there", nodejs("require('nothing-such')"),
			"Runtime.ImportModuleError", `^Error: Cannot find module 'nothing-such'\nRequire stack:\n- .*/index\.js\n`, "", 129},
		{"an ES module that imports one that isn't there", nodeFile("index.mjs", "import 'nothing-such'"),
			"Error", `^Cannot find package 'nothing-such' imported from .*/index\.mjs$`, "", 129},
		{"a module with a syntax error", nodejs("exports.handler = async ( => {}"),
			"Runtime.UserCodeSyntaxError", `^SyntaxError: Unexpected token`, "/index.js:1", 129},
		{"an ES module with a syntax error", nodeFile("index.mjs", "export const handler = async ( => {}"),
			"Runtime.UserCodeSyntaxError", `^SyntaxError: Unexpected token`, "SyntaxError: Unexpected token", 129},
		{"a module without the handler", nodejs("exports.other = 1"),
			"Runtime.HandlerNotFound", `^index\.handler is undefined or not exported$`, "", 129},
		{"a handler that is no function", nodejs("exports.handler = 1"),
			"Runtime.HandlerNotFound", `^index\.handler is not a function$`, "", 129},
		{"a handler name without dot", project{handler: "index"},
			"Runtime.MalformedHandlerName", `^Bad handler$`, "", 129},
		{"a handler name that leaves the task root", project{handler: "../index.handler"},
			"Runtime.MalformedHandlerName", `^'\.\./index\.handler' is not a valid handler name`, "", 129},
		{"an error while loading", nodejs("throw new RangeError('early')"),
			"RangeError", `^early$`, "/index.js:1", 129},
		{"a rejection while loading", nodeFile("index.mjs", "Promise.reject(new Error('lost'));\nawait new Promise((resolve) => setTimeout(resolve, 10000));\nexport const handler = async () => 1"),
			"Runtime.UnhandledPromiseRejection", `^Error: lost$`, "", 128},
	}
	eachRuntime(t, NodeJS, func(t *testing.T, rt Runtime) {
		for _, test := range tests {
			t.Run(test.rule, func(t *testing.T) {
				t.Parallel()
				e := start(t, rt, test.project)
				report := e.initError()
				f := parseFailure(t, report.Payload)
				if f.ErrorType != test.kind || report.ErrorType != test.kind || !regexp.MustCompile(test.message).MatchString(f.ErrorMessage) {
					t.Errorf("got %s (type %s), want %s: %s", report.Payload, report.ErrorType, test.kind, test.message)
				}
				if !strings.Contains(strings.Join(f.Trace, "\n"), test.trace) {
					t.Errorf("trace %q, want %q in it", f.Trace, test.trace)
				}
				if code := e.exit(); code != test.code {
					t.Errorf("exit code %d, want %d", code, test.code)
				}
				if logs := e.logs(); !strings.Contains(logs, "\tundefined\tERROR\tU") {
					t.Errorf("log %q", logs)
				}
			})
		}
	})
}

func TestNodeProcessEnds(t *testing.T) {
	tests := []struct {
		rule    string
		project project
		code    int
		output  string
	}{
		{"process.exit in a handler", nodejs("exports.handler = async () => process.exit(3)"), 3, ""},
		{"process.exit while loading", nodejs("process.exit(4)"), 4, ""},
		{"top-level await of nothing", nodeFile("index.mjs", "await new Promise(() => {})"), 13, "Warning: Detected unsettled top-level await\n"},
		{"a signal", nodejs("exports.handler = async () => { process.kill(process.pid, 'SIGKILL'); await new Promise((r) => setTimeout(r, 10000)); }"), -1, ""},
	}
	eachRuntime(t, NodeJS, func(t *testing.T, rt Runtime) {
		for _, test := range tests {
			t.Run(test.rule, func(t *testing.T) {
				t.Parallel()
				e := start(t, rt, test.project)
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

func TestNodeLogs(t *testing.T) {
	stamp := `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`
	tests := []struct {
		rule    string
		project project
		want    string // regular expression for the whole log of the first invocation
	}{
		{"every method of the console has its level",
			nodejs("exports.handler = async () => { console.log('a'); console.info('b'); console.warn('c'); console.error('d'); console.debug('e'); console.trace('f'); }"),
			`^` + stamp + "\treq-1\tINFO\ta\n" + stamp + "\treq-1\tINFO\tb\n" + stamp + "\treq-1\tWARN\tc\n" + stamp + "\treq-1\tERROR\td\n" + stamp + "\treq-1\tDEBUG\te\n" + stamp + "\treq-1\tTRACE\tf\n$"},
		{"values are formatted as by Node.js, line feeds don't cut an entry",
			nodejs("exports.handler = async () => { console.log('x %d %j', 1, { a: 1 }, [2]); console.log('two\\nlines'); }"),
			"INFO\tx 1 \\{\"a\":1\\} \\[ 2 \\]\n.*INFO\ttwo\rlines\n$"},
		{"before the first invocation there is no request",
			nodejs("console.log('init');\nexports.handler = async () => 1"), "^" + stamp + "\tundefined\tINFO\tinit\n$"},
		{"what is written directly stays as it is, in order",
			nodejs("exports.handler = async () => { process.stdout.write('a\\n'); console.log('b'); process.stderr.write('c'); }"), "^a\n.*\tb\nc$"},
		{"JSON logging",
			project{files: map[string]string{"index.js": "exports.handler = async () => { console.log({ a: 1 }); console.error('oops', new RangeError('r')); console.debug('unseen'); }"}, handler: "index.handler", logging: `{"LogFormat":"JSON","ApplicationLogLevel":"INFO"}`},
			`^\{"timestamp":"` + stamp + `","level":"INFO","requestId":"req-1","message":\{"a":1\}\}\n\{"timestamp":"` + stamp + `","level":"ERROR","requestId":"req-1","message":"oops RangeError: r.*","errorType":"RangeError","errorMessage":"r","stackTrace":\["RangeError: r",.*\]\}\n$`},
	}
	eachRuntime(t, NodeJS, func(t *testing.T, rt Runtime) {
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

func TestNodeNewProcess(t *testing.T) {
	tests := []struct {
		rule    string
		project project
		want    string
	}{
		{"for NODE_OPTIONS",
			project{files: map[string]string{"index.js": "exports.handler = async () => Math.round(require('v8').getHeapStatistics().heap_size_limit / 1048576) < 150"}, handler: "index.handler", env: map[string]string{"NODE_OPTIONS": "--max-old-space-size=100"}}, `true`},
		{"for a wrapper",
			project{files: map[string]string{"index.js": "exports.handler = async () => process.env.WRAPPED", "wrap.sh": "#!/bin/sh\nexport WRAPPED=yes\nexec \"$@\"\n"}, handler: "index.handler", env: map[string]string{"AWS_LAMBDA_EXEC_WRAPPER": taskRoot + "/wrap.sh"}}, `"yes"`},
	}
	eachRuntime(t, NodeJS, func(t *testing.T, rt Runtime) {
		for _, test := range tests {
			t.Run(test.rule, func(t *testing.T) {
				t.Parallel()
				e := start(t, rt, test.project)
				if r := e.invoke(`{}`); r.Error || string(r.Payload) != test.want {
					t.Errorf("got %s, want %s\n%s", r.Payload, test.want, e.logs())
				}
			})
		}
		t.Run("whose exit code is the process's", func(t *testing.T) {
			e := start(t, rt, project{files: map[string]string{"index.js": "process.exit(7)"}, handler: "index.handler", env: map[string]string{"NODE_OPTIONS": "--no-warnings"}})
			if code := e.exit(); code != 7 {
				t.Errorf("exit code %d", code)
			}
		})
		t.Run("a wrapper that can't be executed ends like a shell", func(t *testing.T) {
			e := start(t, rt, project{handler: "index.handler", env: map[string]string{"AWS_LAMBDA_EXEC_WRAPPER": "/opt/none"}})
			if code := e.exit(); code != 127 || e.logs() != "/opt/none: No such file or directory\n" {
				t.Errorf("exit code %d, output %q", code, e.logs())
			}
		})
	})
}

func TestNodeSeesOnlyItsEnvironment(t *testing.T) {
	eachRuntime(t, NodeJS, func(t *testing.T, rt Runtime) {
		p := nodejs("exports.handler = async () => Object.keys(process.env).sort().join(' ') + ' ' + process.env.MINE")
		p.env = map[string]string{"MINE": "ü=1"}
		e := start(t, rt, p)
		want := `"AWS_DEFAULT_REGION AWS_EXECUTION_ENV AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_VERSION AWS_LAMBDA_INITIALIZATION_TYPE AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME AWS_LAMBDA_RUNTIME_API AWS_REGION AWS_XRAY_CONTEXT_MISSING AWS_XRAY_DAEMON_ADDRESS LAMBDA_RUNTIME_DIR LAMBDA_TASK_ROOT LANG LD_LIBRARY_PATH MINE NODE_PATH PATH TZ _HANDLER ü=1"`
		if got := string(e.invoke(`{}`).Payload); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}
