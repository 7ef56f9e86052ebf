package lambdaapi_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/code"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/invoke"
	"github.com/hearthd/hearth/internal/lambdaapi"
	"github.com/hearthd/hearth/internal/state"
)

const (
	region = "us-east-1"
	role   = "arn:aws:iam::123456789012:role/any"
)

// node is the API on real rooms; only functions don't run.
type node struct {
	url      string
	catalog  *function.Catalog
	accounts *account.Registry
	code     *code.Store
	invoker  *invoker
}

// start runs a node that ends with the test. change, if not nil, sets options.
func start(t testing.TB, change func(*lambdaapi.Options)) *node {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	store, err := state.Open(ctx, state.Options{Dir: filepath.Join(dir, "state")})
	must(t, err)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	n := &node{invoker: &invoker{}}
	n.accounts, err = account.Open(ctx, store, account.Options{KeyFile: filepath.Join(dir, "key")})
	must(t, err)
	n.code, err = code.OpenStore(ctx, store, code.Limits{})
	must(t, err)
	n.catalog, err = function.Open(ctx, store, function.Options{Region: region})
	must(t, err)
	t.Cleanup(func() {
		if err := n.catalog.Close(); err != nil {
			t.Error(err)
		}
	})
	o := lambdaapi.Options{Region: region, Catalog: n.catalog, Accounts: n.accounts, CodeStore: n.code, Invoker: n.invoker}
	if change != nil {
		change(&o)
	}
	api, err := lambdaapi.New(o)
	must(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	n.url = server.URL
	return n
}

// invoker stands in for the rooms that run functions: it answers what answer
// says and remembers what it was asked.
type invoker struct {
	mu     sync.Mutex
	answer func(*invoke.Request) (*invoke.Response, error)
	asked  []*invoke.Request
}

func (i *invoker) Invoke(_ context.Context, req *invoke.Request) (*invoke.Response, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked = append(i.asked, req)
	switch {
	case i.answer != nil:
		return i.answer(req)
	case req.DryRun:
		return &invoke.Response{Status: 204, ExecutedVersion: "$LATEST"}, nil
	}
	return &invoke.Response{Status: 200, Payload: req.Payload, ExecutedVersion: "$LATEST", RevisionID: "r1"}, nil
}

// last is the last request, and fails the test when there is none.
func (i *invoker) last(t testing.TB) *invoke.Request {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.asked) == 0 {
		t.Fatal("nothing was invoked")
	}
	return i.asked[len(i.asked)-1]
}

func (i *invoker) says(f func(*invoke.Request) (*invoke.Response, error)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = f
}

// tenant is an account with a client of the AWS SDK.
type tenant struct {
	*lambda.Client
	node *node
	id   account.ID
	key  account.Key
}

func (n *node) tenant(t testing.TB, name string) *tenant {
	t.Helper()
	a, key, err := n.accounts.Create(t.Context(), name)
	must(t, err)
	u := &tenant{node: n, id: a.ID, key: key}
	u.Client = lambda.New(lambda.Options{
		Region: region, BaseEndpoint: &n.url, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.Secret, ""),
	})
	return u
}

// newTenant is the account of a test that needs one only.
func newTenant(t testing.TB) *tenant {
	t.Helper()
	return start(t, nil).tenant(t, "tenant")
}

func (u *tenant) arn(name string) string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", region, u.id, name)
}

// create makes an active function.
func (u *tenant) create(t testing.TB, name string, change func(*lambda.CreateFunctionInput)) *lambda.CreateFunctionOutput {
	t.Helper()
	in := input(t, name)
	if change != nil {
		change(in)
	}
	out, err := u.CreateFunction(t.Context(), in)
	must(t, err)
	u.settle(t, name)
	return out
}

// settle plays the deployment manager: what is wanted serves from now on.
func (u *tenant) settle(t testing.TB, name string) {
	t.Helper()
	view, err := u.node.catalog.Get(function.Key{Account: u.id, Name: name})
	must(t, err)
	_, err = u.node.catalog.CompleteUpdate(t.Context(), view.Key, view.Wanted.ID)
	must(t, err)
}

func input(t testing.TB, name string) *lambda.CreateFunctionInput {
	t.Helper()
	return &lambda.CreateFunctionInput{
		FunctionName: &name, Role: aws.String(role), Runtime: types.RuntimePython312, Handler: aws.String("main.handler"),
		Code: &types.FunctionCode{ZipFile: archive(t, "main.py", "def handler(event, context):\n    return event\n")},
	}
}

// archive is a package of one file.
func archive(t testing.TB, name, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Modified: time.Unix(1e9, 0), Method: zip.Deflate})
	must(t, err)
	_, err = io.WriteString(w, content)
	must(t, err)
	must(t, z.Close())
	return b.Bytes()
}

// answer is what came of a raw request.
type answer struct {
	status    int
	header    http.Header
	body      string
	exception string
	message   string
}

// send sends a signed request as it is, in ways that no SDK would.
func (u *tenant) send(t testing.TB, method, path, body string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, u.node.url+path, strings.NewReader(body))
	must(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	sign(t, r, u.key, body)
	return do(t, r)
}

func sign(t testing.TB, r *http.Request, key account.Key, body string) {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	must(t, v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.Secret}, r, hex.EncodeToString(sum[:]), "lambda", region, time.Now()))
}

func do(t testing.TB, r *http.Request) answer {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(body), exception: resp.Header.Get("X-Amzn-Errortype")}
	if a.exception != "" {
		var said struct{ Message string } // "message" as well
		if err := json.Unmarshal(body, &said); err != nil {
			t.Errorf("the answer is no JSON: %s", body)
		}
		a.message = said.Message
	}
	if len(resp.Header.Get("X-Amzn-Requestid")) != 36 {
		t.Errorf("request id %q", resp.Header.Get("X-Amzn-Requestid"))
	}
	return a
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
