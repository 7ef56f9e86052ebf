package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthd/hearth/test/testnode"
)

const (
	role = "arn:aws:iam::000000000000:role/any"
	// waitWithin bounds every wait for a state; nothing takes that long.
	waitWithin = time.Minute
)

// tenant is an account of one test's own, with a client.
type tenant struct {
	node    *testnode.Node
	account string
	key     testnode.Credentials
	lambda  *lambda.Client
}

// tenants counts them: accounts have names of their own.
var tenants atomic.Int64

// newTenant makes an account on the shared node.
func newTenant(t testing.TB) *tenant {
	t.Helper()
	testnode.Require(t, testnode.Root)
	return tenantOf(t, shared)
}

// tenantOf makes an account on the node.
func tenantOf(t testing.TB, node *testnode.Node) *tenant {
	t.Helper()
	account, key, err := node.CreateAccount(t.Context(), fmt.Sprintf("%s %d", t.Name(), tenants.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	return &tenant{node: node, account: account, key: key, lambda: node.Lambda(key)}
}

// spec says what function to create; zero values stand for a Python function
// of the ends package with Hearth's defaults.
type spec struct {
	Name    string
	Runtime types.Runtime
	Handler string
	Code    []byte
	Memory  int32
	Timeout int32
	TmpMB   int32
	Env     map[string]string
	Tags    map[string]string
	Publish bool
}

func (s spec) input(t testing.TB) *lambda.CreateFunctionInput {
	t.Helper()
	in := &lambda.CreateFunctionInput{
		FunctionName: aws.String(s.Name),
		Role:         aws.String(role),
		Runtime:      s.Runtime,
		Handler:      aws.String(s.Handler),
		Code:         &types.FunctionCode{ZipFile: s.Code},
		Tags:         s.Tags,
		Publish:      s.Publish,
	}
	if in.Runtime == "" {
		in.Runtime = types.RuntimePython312
	}
	if s.Handler == "" {
		in.Handler = aws.String("ends.echo")
	}
	if s.Code == nil {
		in.Code.ZipFile = tree(t, "ends")
	}
	if s.Memory != 0 {
		in.MemorySize = &s.Memory
	}
	if s.Timeout != 0 {
		in.Timeout = &s.Timeout
	}
	if s.TmpMB != 0 {
		in.EphemeralStorage = &types.EphemeralStorage{Size: &s.TmpMB}
	}
	if s.Env != nil {
		in.Environment = &types.Environment{Variables: s.Env}
	}
	return in
}

// function is one that a tenant created; it goes when the test ends.
type function struct {
	*tenant
	name string
	arn  string
}

// create makes a function, waits until it is active, and deletes it at the
// end of the test.
func (u *tenant) create(t testing.TB, s spec) *function {
	t.Helper()
	if _, err := u.lambda.CreateFunction(t.Context(), s.input(t)); err != nil {
		t.Fatalf("create %s: %v", s.Name, err)
	}
	t.Cleanup(func() {
		_, err := u.lambda.DeleteFunction(context.WithoutCancel(t.Context()), &lambda.DeleteFunctionInput{FunctionName: &s.Name})
		var gone *types.ResourceNotFoundException
		if err != nil && !errors.As(err, &gone) {
			t.Errorf("delete %s: %v", s.Name, err)
		}
	})
	u.waitActive(t, s.Name)
	return &function{tenant: u, name: s.Name, arn: fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", testnode.Region, u.account, s.Name)}
}

// waitActive is the SDK's waiter function-active-v2, in a hurry.
func (u *tenant) waitActive(t testing.TB, name string) {
	t.Helper()
	w := lambda.NewFunctionActiveV2Waiter(u.lambda, func(o *lambda.FunctionActiveV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, time.Second
	})
	if err := w.Wait(t.Context(), &lambda.GetFunctionInput{FunctionName: &name}, waitWithin); err != nil {
		t.Fatalf("%s does not become active: %v", name, err)
	}
}

// waitUpdated is the SDK's waiter function-updated-v2, in a hurry.
func (u *tenant) waitUpdated(t testing.TB, name string) {
	t.Helper()
	w := lambda.NewFunctionUpdatedV2Waiter(u.lambda, func(o *lambda.FunctionUpdatedV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, time.Second
	})
	if err := w.Wait(t.Context(), &lambda.GetFunctionInput{FunctionName: &name}, waitWithin); err != nil {
		t.Fatalf("%s is not updated: %v", name, err)
	}
}

// outcome is what came of an invocation.
type outcome struct {
	Status        int32
	FunctionError string
	Version       string
	RequestID     string
	Payload       []byte
	Log           string // with Tail
}

// failure is the JSON that a function error carries.
type failure struct {
	Type       string   `json:"errorType"`
	Message    string   `json:"errorMessage"`
	RequestID  string   `json:"requestId"`
	StackTrace any      `json:"stackTrace"` // texts, or aws-lambda-go's objects
	Trace      []string `json:"trace"`      // Node.js's name for it
}

// tail asks for the end of the log.
func tail(in *lambda.InvokeInput) { in.LogType = types.LogTypeTail }

// at asks for a version or an alias.
func at(qualifier string) func(*lambda.InvokeInput) {
	return func(in *lambda.InvokeInput) { in.Qualifier = &qualifier }
}

// try invokes the function and returns what came of it, or the error. The
// payload is JSON already, or anything that can be made JSON.
func (f *function) try(ctx context.Context, payload any, options ...func(*lambda.InvokeInput)) (outcome, error) {
	body, ok := payload.([]byte)
	if !ok {
		var err error
		if body, err = json.Marshal(payload); err != nil {
			return outcome{}, err
		}
	}
	in := &lambda.InvokeInput{FunctionName: &f.name, Payload: body}
	for _, o := range options {
		o(in)
	}
	out, err := f.lambda.Invoke(ctx, in)
	if err != nil {
		return outcome{}, err
	}
	log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	if err != nil {
		return outcome{}, err
	}
	id, _ := middleware.GetRequestIDMetadata(out.ResultMetadata)
	return outcome{
		Status:        out.StatusCode,
		FunctionError: aws.ToString(out.FunctionError),
		Version:       aws.ToString(out.ExecutedVersion),
		RequestID:     id,
		Payload:       out.Payload,
		Log:           string(log),
	}, nil
}

// invoke is try for an invocation that must reach the function.
func (f *function) invoke(t testing.TB, payload any, options ...func(*lambda.InvokeInput)) outcome {
	t.Helper()
	o, err := f.try(t.Context(), payload, options...)
	if err != nil {
		t.Fatalf("invoke %s: %v", f.name, err)
	}
	return o
}

// answer invokes a function that must succeed and decodes what it answers.
func (f *function) answer(t testing.TB, payload, into any, options ...func(*lambda.InvokeInput)) {
	t.Helper()
	o := f.invoke(t, payload, options...)
	if o.FunctionError != "" {
		t.Fatalf("invoke %s: %s: %s", f.name, o.FunctionError, o.Payload)
	}
	decode(t, o.Payload, into)
}

// failure decodes the answer of a function that must have failed.
func (o outcome) failure(t testing.TB) failure {
	t.Helper()
	if o.Status != 200 || o.FunctionError != "Unhandled" {
		t.Fatalf("status %d, function error %q, payload %.300s: want 200 and Unhandled", o.Status, o.FunctionError, o.Payload)
	}
	var f failure
	decode(t, o.Payload, &f)
	return f
}

func decode(t testing.TB, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("not the JSON that was expected: %v: %.300s", err, data)
	}
}

// packages are the zips made so far, by directory or import path.
var packages sync.Map

type packed struct {
	zip []byte
	err error
}

func pack(t testing.TB, name string, build func() ([]byte, error)) []byte {
	t.Helper()
	made, _ := packages.LoadOrStore(name, sync.OnceValue(func() packed {
		zip, err := build()
		return packed{zip, err}
	}))
	p := made.(func() packed)()
	if p.err != nil {
		t.Fatal(p.err)
	}
	return p.zip
}

// tree packs a directory of testdata/functions.
func tree(t testing.TB, name string) []byte {
	t.Helper()
	return pack(t, name, func() ([]byte, error) {
		files, err := testnode.Tree(filepath.Join("testdata", "functions", name), "")
		if err != nil {
			return nil, err
		}
		return testnode.Zip(files...)
	})
}

// goBootstrap compiles and packs a program of test/functions.
func goBootstrap(t testing.TB, name string) []byte {
	t.Helper()
	return pack(t, "go:"+name, func() ([]byte, error) { return testnode.Compile("./test/functions/" + name) })
}

// python packs one module, main.py.
func python(t testing.TB, source string) []byte {
	t.Helper()
	return files(t, "main.py", source)
}

// writeFile writes a file of the test's own and returns its path.
func writeFile(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// between returns the part of s after from and before to.
func between(s, from, to string) string {
	_, rest, _ := strings.Cut(s, from)
	part, _, _ := strings.Cut(rest, to)
	return part
}

// files packs one file.
func files(t testing.TB, name, content string) []byte {
	t.Helper()
	zip, err := testnode.Zip(testnode.File{Name: name, Content: []byte(content)})
	if err != nil {
		t.Fatal(err)
	}
	return zip
}

// bootstrap packs a custom runtime's executable.
func bootstrap(t testing.TB, script string) []byte {
	t.Helper()
	zip, err := testnode.Zip(testnode.File{Name: "bootstrap", Content: []byte(script), Mode: 0o755})
	if err != nil {
		t.Fatal(err)
	}
	return zip
}
