package e2e

import (
	"encoding/base64"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthd/hearth/test/testnode"
)

var clientContext = base64.StdEncoding.EncodeToString([]byte(`{"client": {"app_title": "hearthside"}, "custom": {"k": "v"}, "env": {"locale": "de"}}`))

func withClientContext(in *lambda.InvokeInput) { in.ClientContext = &clientContext }

// Every member of Python's context object that Lambda documents.
func TestPythonContext(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "context", Handler: "main.handler", Timeout: 30, Code: python(t, `
def handler(event, context):
    return {
        "name": context.function_name, "version": context.function_version, "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb, "id": context.aws_request_id,
        "group": context.log_group_name, "stream": context.log_stream_name,
        "remaining": context.get_remaining_time_in_millis(),
        "identity": [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id],
        "title": context.client_context.client.app_title if context.client_context else None,
        "custom": context.client_context.custom if context.client_context else None,
        "env": context.client_context.env if context.client_context else None,
    }
`)})
	var got struct {
		Name, Version, ARN, Memory, ID, Group, Stream, Title string
		Remaining                                            int
		Custom, Env                                          map[string]string
		Identity                                             []any
	}
	o := f.invoke(t, map[string]int{}, withClientContext)
	decode(t, o.Payload, &got)
	if got.Name != f.name || got.Version != "$LATEST" || got.ARN != f.arn || got.Memory != "128" || got.ID != o.RequestID || got.Group != "/aws/lambda/context" ||
		!regexp.MustCompile(`^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$`).MatchString(got.Stream) ||
		got.Remaining <= 0 || got.Remaining > 30000 || got.Title != "hearthside" || got.Custom["k"] != "v" || got.Env["locale"] != "de" || len(got.Identity) != 2 {
		t.Errorf("context %+v", got)
	}
}

// Layers of an interpreter's behaviour that functions count on.
func TestPythonHabits(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	for _, c := range []struct{ name, source, event, want string }{
		{"the module is loaded once", "n = 0\ndef handler(event, context):\n    global n\n    n += 1\n    return n\n", `{}`, `1`},
		{"text of any script", "def handler(event, context):\n    return event['s'] + ' \\u00fc'\n", `{"s":"\u65e5\u672c"}`, "\"\u65e5\u672c \u00fc\""},
		{"numbers, null and nesting", "def handler(event, context):\n    return event\n", `{"a":[1,2.5,null,true,{"b":""}]}`, `{"a":[1,2.5,null,true,{"b":""}]}`},
		{"no event at all", "def handler(event, context):\n    return event\n", ``, `{}`},
		{"none", "def handler(event, context):\n    pass\n", `{}`, `null`},
		{"an event that is a list", "def handler(event, context):\n    return sum(event)\n", `[1,2,3]`, `6`},
		{"code in a package", "from decimal import Decimal\ndef handler(event, context):\n    return str(Decimal('1.10'))\n", `{}`, `"1.10"`},
		{"variables of the environment", "import os\ndef handler(event, context):\n    return os.environ.get('LANG') and os.environ['PATH'].split(':')[0]\n", `{}`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := u.create(t, spec{Name: strings.NewReplacer(" ", "-", ",", "").Replace(c.name), Handler: "main.handler", Code: python(t, c.source)})
			o := f.invoke(t, []byte(c.event))
			if o.FunctionError != "" {
				t.Fatalf("%s", o.Payload)
			}
			var got, want any
			decode(t, o.Payload, &got)
			if c.want == "" {
				return
			}
			if compact := strings.ReplaceAll(string(o.Payload), ", ", ","); strings.ReplaceAll(compact, ": ", ":") != c.want {
				decode(t, []byte(c.want), &want)
				t.Errorf("answer %s, want %s", o.Payload, c.want)
			}
		})
	}
}

func TestNodeHandlers(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	for _, c := range []struct {
		handler, event string
		pack           string
		want           string // JSON, of a good answer
		errorType      string // of a bad one
		message        string // a pattern
	}{
		{handler: "index.echo", event: `{"a":[1,"ü"]}`, want: `{"a":[1,"ü"]}`},
		{handler: "index.callback", event: `{"n":21}`, want: `{"doubled":42}`},
		{handler: "index.open", event: `{}`, want: `"at once"`},
		{handler: "index.handler", pack: "nodeesm", event: `1`, want: `{"module":"esm","ready":"ready","event":1}`},
		{handler: "index.rejects", event: `{}`, errorType: "TypeError", message: `^as asked$`},
		{handler: "index.callbackError", event: `{}`, errorType: "RangeError", message: `^as asked$`},
		{handler: "index.throwsLater", event: `{}`, errorType: "Error|Runtime.UnhandledPromiseRejection", message: `nobody waits for me`},
		{handler: "index.rejectsUnhandled", event: `{}`, errorType: "Runtime.UnhandledPromiseRejection", message: `nobody catches me`},
		{handler: "index.exits", event: `{"status":6}`, errorType: "Runtime.ExitError", message: `exit status 6$`},
		{handler: "index.circular", event: `{}`, errorType: "", message: `(?i)circular|stringify`},
	} {
		t.Run(c.pack+c.handler, func(t *testing.T) {
			t.Parallel()
			if c.pack == "" {
				c.pack = "node"
			}
			f := u.create(t, spec{Name: c.pack + "-" + strings.ReplaceAll(c.handler, ".", "-"), Runtime: types.RuntimeNodejs20x, Handler: c.handler, Code: tree(t, c.pack), Timeout: 10})
			o := f.invoke(t, []byte(c.event))
			if c.want != "" {
				if string(o.Payload) != c.want || o.FunctionError != "" {
					t.Errorf("answer %s %s, want %s", o.FunctionError, o.Payload, c.want)
				}
				return
			}
			got := o.failure(t)
			if !regexp.MustCompile("^("+c.errorType+")$").MatchString(got.Type) && c.errorType != "" || !regexp.MustCompile(c.message).MatchString(got.Message) {
				t.Errorf("%s: %q, want %s: %q", got.Type, got.Message, c.errorType, c.message)
			}
			if c.errorType == "TypeError" && (len(got.Trace) < 2 || got.Trace[0] != "TypeError: as asked" || !strings.Contains(got.Trace[1], "/var/task/index.js")) {
				t.Errorf("trace %q", got.Trace)
			}
		})
	}
}

func TestNodeContextAndLog(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "nodecontext", Runtime: types.RuntimeNodejs20x, Handler: "index.context", Code: tree(t, "node"), Env: map[string]string{"MINE": "yes"}})
	o := f.invoke(t, map[string]int{}, withClientContext)
	var got struct {
		FunctionName, FunctionVersion, MemoryLimitInMB, InvokedFunctionArn, AwsRequestID, LogGroupName, LogStreamName string
		Remaining                                                                                                     float64
		ClientContext                                                                                                 struct {
			Client struct {
				AppTitle string `json:"app_title"`
			}
		}
		Env map[string]string
	}
	decode(t, o.Payload, &got)
	if got.FunctionName != f.name || got.FunctionVersion != "$LATEST" || got.MemoryLimitInMB != "128" || got.InvokedFunctionArn != f.arn || got.AwsRequestID != o.RequestID ||
		got.LogGroupName != "/aws/lambda/nodecontext" || got.Remaining <= 0 || got.ClientContext.Client.AppTitle != "hearthside" || got.Env["MINE"] != "yes" ||
		got.Env["AWS_EXECUTION_ENV"] != "AWS_Lambda_nodejs20.x" {
		t.Errorf("context %s", o.Payload)
	}

	logs := u.create(t, spec{Name: "nodelogs", Runtime: types.RuntimeNodejs20x, Handler: "index.logs", Code: tree(t, "node")})
	o = logs.invoke(t, map[string]int{}, tail)
	for _, line := range []string{"INFO\tan info line\n", "ERROR\tan error line\n"} {
		if !regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t` + o.RequestID + `\t` + line).MatchString(o.Log) {
			t.Errorf("the log has no %q: %q", line, o.Log)
		}
	}
}

// A function on aws-lambda-go, as its authors compile it for AWS.
func TestGoOnProvided(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "goecho", Runtime: types.RuntimeProvidedal2023, Handler: "bootstrap", Code: goBootstrap(t, "goecho"), Timeout: 20})
	var echo map[string]string
	f.answer(t, map[string]string{"hello": "go"}, &echo)
	if echo["hello"] != "go" {
		t.Errorf("echo %v", echo)
	}
	var context struct {
		Function, Version, ARN, RequestID string
		Memory, RemainingMs               int
	}
	o := f.invoke(t, map[string]string{"do": "context"}, withClientContext)
	decode(t, o.Payload, &context)
	if context.Function != f.name || context.Version != "$LATEST" || context.ARN != f.arn || context.RequestID != o.RequestID || context.Memory != 128 ||
		context.RemainingMs <= 0 || context.RemainingMs > 20000 || !strings.Contains(string(o.Payload), "hearthside") {
		t.Errorf("context %s", o.Payload)
	}
	if got := f.invoke(t, map[string]string{"do": "error"}).failure(t); got.Type != "errorString" || got.Message != "as asked" {
		t.Errorf("error %+v", got)
	}
	if got := f.invoke(t, map[string]string{"do": "panic"}).failure(t); !strings.Contains(got.Message, "as asked") {
		t.Errorf("panic %+v", got)
	}
	if got := f.invoke(t, map[string]string{"do": "exit"}).failure(t); got.Type != "Runtime.ExitError" || !strings.HasSuffix(got.Message, "exit status 3") {
		t.Errorf("exit %+v", got)
	}
	if o := f.invoke(t, map[string]string{"do": "log"}, tail); !strings.Contains(o.Log, "a line of the function\n") {
		t.Errorf("log %q", o.Log)
	}
}

// AWS's own Node.js runtime client, with its native part, as a custom runtime.
func TestAWSLambdaRIC(t *testing.T) {
	t.Parallel()
	dir, err := testnode.NPM("ric", "aws-lambda-ric")
	if err != nil {
		t.Skipf("%v: its native part does not compile everywhere", err)
	}
	u := newTenant(t)
	zip := pack(t, "ric", func() ([]byte, error) {
		all, err := testnode.Tree(filepath.Join("testdata", "functions", "ric"), "")
		if err != nil {
			return nil, err
		}
		for _, part := range []string{"bin", "dist"} {
			some, err := testnode.Tree(filepath.Join(dir, part), "node_modules/aws-lambda-ric/"+part)
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
		manifest, err := testnode.Tree(filepath.Join(dir, "package.json"), "node_modules/aws-lambda-ric/package.json")
		if err != nil {
			return nil, err
		}
		return testnode.Zip(append(all, manifest...)...)
	})
	f := u.create(t, spec{Name: "ric", Runtime: types.RuntimeProvidedal2023, Handler: "app.handler", Code: zip, Timeout: 30, Memory: 256})
	for range 3 {
		o := f.invoke(t, map[string]string{"hello": "ric"})
		var got struct {
			Event               map[string]string
			RequestID, Function string
		}
		if o.FunctionError != "" {
			t.Fatalf("%s", o.Payload)
		}
		decode(t, o.Payload, &got)
		if got.Event["hello"] != "ric" || got.RequestID != o.RequestID || got.Function != "ric" {
			t.Errorf("answer %s", o.Payload)
		}
	}
}
