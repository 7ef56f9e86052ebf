package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/client/clienttest"
)

// open opens the double as somebody whose environment is set up.
func open(t *testing.T) (*client.Client, *clienttest.Node) {
	t.Helper()
	node := clienttest.Start(t)
	node.Use(t)
	c, err := client.Open(t.Context(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c, node
}

func quiet(string) {}

// deployed makes functions of these names.
func deployed(t *testing.T, c *client.Client, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := c.Deploy(t.Context(), client.Deployment{Name: name, Zip: []byte("zip"), SHA256: "?", Runtime: "python3.12", Handler: "app.handler"}, quiet); err != nil {
			t.Fatal(err)
		}
	}
}

func credentialsFile(t *testing.T, profile, key, region string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	text := fmt.Sprintf("[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n%s", profile, key, clienttest.Secret, region)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenFindsTheEndpoint(t *testing.T) {
	for name, test := range map[string]struct {
		env  map[string]string
		flag string
		want string
	}{
		"nothing said":         {want: client.DefaultEndpoint},
		"the general variable": {env: map[string]string{"AWS_ENDPOINT_URL": "http://a:1"}, want: "http://a:1"},
		"Lambda's own variable": {
			env: map[string]string{"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_LAMBDA": "http://b:2"}, want: "http://b:2",
		},
		"Hearth's variable": {
			env:  map[string]string{"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_LAMBDA": "http://b:2", "HEARTH_ENDPOINT": "http://c:3/"},
			want: "http://c:3",
		},
		"the flag": {env: map[string]string{"HEARTH_ENDPOINT": "http://c:3"}, flag: "http://d:4", want: "http://d:4"},
	} {
		for _, how := range []string{"from the environment", "from a file"} {
			t.Run(name+", credentials "+how, func(t *testing.T) {
				clienttest.Isolate(t)
				for k, v := range test.env {
					t.Setenv(k, v)
				}
				o := client.Options{Endpoint: test.flag}
				if how == "from a file" {
					o.CredentialsFile = credentialsFile(t, "default", clienttest.AccessKeyID, "")
				} else {
					t.Setenv("AWS_ACCESS_KEY_ID", clienttest.AccessKeyID)
					t.Setenv("AWS_SECRET_ACCESS_KEY", clienttest.Secret)
				}
				c, err := client.Open(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if c.Endpoint != test.want {
					t.Errorf("got %s, want %s", c.Endpoint, test.want)
				}
			})
		}
	}
}

func TestOpenFindsCredentials(t *testing.T) {
	node := clienttest.Start(t)
	good := credentialsFile(t, "default", clienttest.AccessKeyID, "region = eu-west-1\n")
	team := credentialsFile(t, "team", clienttest.AccessKeyID, "")
	bad := credentialsFile(t, "default", "AKIABBBBBBBBBBBBBBBB", "")
	for name, test := range map[string]struct {
		env     map[string]string
		options client.Options
		source  string // what the client says, or
		err     string // how it fails
	}{
		"the environment": {
			env:    map[string]string{"AWS_ACCESS_KEY_ID": clienttest.AccessKeyID, "AWS_SECRET_ACCESS_KEY": clienttest.Secret},
			source: "the environment (AWS_ACCESS_KEY_ID)",
		},
		"the AWS file": {env: map[string]string{"AWS_SHARED_CREDENTIALS_FILE": good}, source: good},
		"a profile": {
			env: map[string]string{"AWS_SHARED_CREDENTIALS_FILE": team}, options: client.Options{Profile: "team"}, source: team,
		},
		"a profile that is not there": {
			env: map[string]string{"AWS_SHARED_CREDENTIALS_FILE": good}, options: client.Options{Profile: "team"}, err: "team",
		},
		"the node's own file":            {options: client.Options{NodeCredentials: good}, source: good},
		"the AWS file before the node's": {env: map[string]string{"AWS_SHARED_CREDENTIALS_FILE": good}, options: client.Options{NodeCredentials: bad}, source: good},
		"the flag before everything": {
			env:     map[string]string{"AWS_ACCESS_KEY_ID": "AKIABBBBBBBBBBBBBBBB", "AWS_SECRET_ACCESS_KEY": "x"},
			options: client.Options{CredentialsFile: good}, source: good,
		},
		"the flag with a profile":          {options: client.Options{CredentialsFile: team, Profile: "team"}, source: team},
		"the flag without its profile":     {options: client.Options{CredentialsFile: team}, err: "has no profile default"},
		"a file that is not there":         {options: client.Options{CredentialsFile: "/nonexistent"}, err: "no such file"},
		"nothing anywhere":                 {options: client.Options{NodeCredentials: "/nonexistent/credentials"}, err: "/nonexistent/credentials, which is not there"},
		"a node's file that is not usable": {options: client.Options{NodeCredentials: team}, err: "which is of no use"},
	} {
		t.Run(name, func(t *testing.T) {
			clienttest.Isolate(t)
			for k, v := range test.env {
				t.Setenv(k, v)
			}
			test.options.Endpoint = node.URL
			c, err := client.Open(t.Context(), test.options)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want something with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Source != test.source {
				t.Errorf("credentials from %s, want %s", c.Source, test.source)
			}
			if _, err := c.Functions(t.Context()); err != nil {
				t.Errorf("the SDK's requests: %v", err)
			}
			if _, err := c.Version(t.Context()); err != nil {
				t.Errorf("our own requests: %v", err)
			}
		})
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Run("no node", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		url := "http://" + l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		clienttest.Isolate(t)
		c, err := client.Open(t.Context(), client.Options{Endpoint: url, CredentialsFile: credentialsFile(t, "default", clienttest.AccessKeyID, "")})
		if err != nil {
			t.Fatal(err)
		}
		_, ofSDK := c.Functions(t.Context())
		_, ofOurs := c.Version(t.Context())
		for _, err := range []error{ofSDK, ofOurs} {
			var unreachable *client.UnreachableError
			if !errors.As(err, &unreachable) || !strings.Contains(err.Error(), "hearth serve") || !strings.Contains(err.Error(), url+": connection refused") {
				t.Errorf("got %v", err)
			}
		}
	})
	t.Run("unknown key", func(t *testing.T) {
		clienttest.Isolate(t)
		file := credentialsFile(t, "default", "AKIABBBBBBBBBBBBBBBB", "")
		c, err := client.Open(t.Context(), client.Options{Endpoint: clienttest.Start(t).URL, CredentialsFile: file})
		if err != nil {
			t.Fatal(err)
		}
		_, ofSDK := c.Functions(t.Context())
		_, ofOurs := c.Version(t.Context())
		for _, err := range []error{ofSDK, ofOurs} {
			var api *client.APIError
			if !errors.As(err, &api) || api.Status != 403 || api.Code != "UnrecognizedClientException" || !strings.Contains(err.Error(), file) {
				t.Errorf("got %v", err)
			}
		}
	})
	t.Run("unknown function", func(t *testing.T) {
		c, _ := open(t)
		deployed(t, c, "hello", "hello-world", "other", "something")
		_, ofInvoke := c.Invoke(t.Context(), client.Invocation{Function: "helo"})
		ofLogs := c.Logs(t.Context(), "helo", client.LogQuery{}, func(client.LogEvent) error { return nil })
		for _, err := range []error{ofInvoke, ofLogs} {
			var none *client.NotFoundError
			if !errors.As(err, &none) || err.Error() != "there is no function helo. Did you mean hello?" {
				t.Errorf("got %v", err)
			}
		}
	})
	t.Run("unknown alias of a known function", func(t *testing.T) {
		c, _ := open(t)
		deployed(t, c, "hello")
		_, err := c.Invoke(t.Context(), client.Invocation{Function: "hello", Qualifier: "gone"})
		var api *client.APIError
		if !errors.As(err, &api) || !strings.Contains(err.Error(), "hello:gone") {
			t.Errorf("got %v", err)
		}
	})
}

func TestCredentialsErrorKeepsItsCause(t *testing.T) {
	clienttest.Isolate(t)
	_, err := client.Open(t.Context(), client.Options{NodeCredentials: "/nonexistent"})
	var missing *client.CredentialsError
	if !errors.As(err, &missing) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestDeploy(t *testing.T) {
	c, node := open(t)
	d := client.Deployment{Name: "hello", Zip: []byte("one"), SHA256: "dpVFzMQCKWuMEvd1uuxI3e5ApDpoeO2xKk+Thn8Fu6I=", Runtime: "python3.12", Handler: "app.handler"}
	deploy := func(what string, wantCalls ...string) *client.Deployed {
		t.Helper()
		r, err := c.Deploy(t.Context(), d, quiet)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if diff := cmp.Diff(wantCalls, node.Calls()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		return r
	}
	r := deploy("a new function", "create hello python3.12 app.handler")
	if !r.Created || r.Function.State != "Active" || r.Function.MemoryMB != 128 || r.Function.ARN == "" {
		t.Errorf("%+v", r)
	}
	d.SHA256 = r.Function.CodeSHA256
	if r := deploy("the same again"); r.Created || r.CodeChanged || r.ConfigChanged {
		t.Errorf("%+v", r)
	}
	d.Zip, d.SHA256 = []byte("two"), "another"
	if r := deploy("other code", "upload hello"); !r.CodeChanged || r.ConfigChanged {
		t.Errorf("%+v", r)
	} else {
		d.SHA256 = r.Function.CodeSHA256
	}
	d.MemoryMB, d.TimeoutSec, d.Env, d.Publish = 256, 10, map[string]string{"AB": "1"}, true
	if r := deploy("another configuration, published", "configure hello", "publish hello"); r.CodeChanged || !r.ConfigChanged || r.Published != "1" || r.Function.MemoryMB != 256 {
		t.Errorf("%+v", r)
	}
	d.MemoryMB, d.TimeoutSec, d.Env, d.Publish = 0, 0, nil, false
	deploy("what is not said stays")
	d.Handler, d.Keep = "main.handler", func(runtime, handler string) bool { return runtime == "python3.12" && handler == "app.handler" }
	deploy("a handler that still suits stays")
	d.Keep = nil
	if r := deploy("a handler that doesn't", "configure hello"); r.Function.Handler != "main.handler" {
		t.Errorf("%+v", r)
	}
	node.Fail("no such runtime")
	d.Zip, d.SHA256 = []byte("three"), "a third"
	_, err := c.Deploy(t.Context(), d, quiet)
	var failed *client.FailedError
	if !errors.As(err, &failed) || failed.Reason != "no such runtime" {
		t.Errorf("an update that fails: %v", err)
	}
	node.Fail("")
	if _, err := c.Deploy(t.Context(), d, quiet); err != nil {
		t.Errorf("after an update that failed: %v", err)
	}
	node.Fail("no such runtime")
	d.Name = "new"
	if _, err := c.Deploy(t.Context(), d, quiet); !errors.As(err, &failed) {
		t.Errorf("a new function that fails: %v", err)
	}
}

func TestDeployEndsWithItsContext(t *testing.T) {
	c, _ := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Deploy(ctx, client.Deployment{Name: "hello", Zip: []byte("zip"), Runtime: "python3.12", Handler: "a.b"}, func(step string) {
		if strings.HasPrefix(step, "waiting") {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestInvoke(t *testing.T) {
	c, _ := open(t)
	deployed(t, c, "hello")
	a, err := c.Invoke(t.Context(), client.Invocation{Function: "hello", Qualifier: "live", Payload: []byte(`{"a":1}`), Log: true})
	if err != nil {
		t.Fatal(err)
	}
	if string(a.Payload) != `{"a":1}` || a.Status != 200 || a.ExecutedVersion != "live" || a.Log != "START\nEND\n" || a.FunctionError != "" {
		t.Errorf("%+v", a)
	}
	if a, err = c.Invoke(t.Context(), client.Invocation{Function: "hello", Payload: []byte(`"fail"`)}); err != nil || a.FunctionError != "Unhandled" {
		t.Errorf("%+v %v", a, err)
	}
	for payload, want := range map[string]string{`{"a":1}`: `{"a":1}`, "not json": `"not json"`, "": `""`} {
		if b, err := json.Marshal(client.Value(payload)); err != nil || string(b) != want {
			t.Errorf("%q as JSON: %s %v", payload, b, err)
		}
	}
}

func TestFunctionsTurnsPages(t *testing.T) {
	c, _ := open(t)
	deployed(t, c, "e", "d", "c", "b", "a")
	list, err := c.Functions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range list {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestLogs(t *testing.T) {
	c, _ := open(t)
	deployed(t, c, "hello")
	var got []client.LogEvent
	collect := func(e client.LogEvent) error { got = append(got, e); return nil }
	if err := c.Logs(t.Context(), "hello", client.LogQuery{Limit: 2, Since: time.Unix(1, 0)}, collect); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Message != "a line\twith a tab" || !got[1].Time().Equal(time.Date(2026, 1, 2, 3, 4, 5, 2e6, time.UTC)) {
		t.Errorf("%+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := c.Logs(ctx, "hello", client.LogQuery{Follow: true}, func(client.LogEvent) error {
		if n++; n == 3 {
			cancel()
		}
		return nil
	})
	if err != nil || n != 3 {
		t.Errorf("followed %d events: %v", n, err)
	}
	enough := errors.New("enough")
	if err := c.Logs(t.Context(), "hello", client.LogQuery{}, func(client.LogEvent) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func TestAccounts(t *testing.T) {
	c, node := open(t)
	ctx := t.Context()
	made, err := c.CreateAccount(ctx, "bob")
	if err != nil || made.Name != "bob" || made.Key.Secret != "s3cret" {
		t.Fatalf("%+v %v", made, err)
	}
	if _, err := c.CreateAccount(ctx, "bob"); err == nil || !strings.Contains(err.Error(), "Conflict: there is an account of that name") {
		t.Errorf("got %v", err)
	}
	all, err := c.Accounts(ctx)
	if err != nil || len(all) != 2 || !all[0].Root {
		t.Errorf("%+v %v", all, err)
	}
	for _, name := range []string{"bob", made.ID} {
		if err := c.SetConcurrency(ctx, name, 7); err != nil {
			t.Error(err)
		}
		if keys, err := c.Keys(ctx, name); err != nil || len(keys) != 1 {
			t.Errorf("%v %v", keys, err)
		}
		if key, err := c.CreateKey(ctx, name); err != nil || key.Secret == "" {
			t.Errorf("%v %v", key, err)
		}
		if err := c.DeleteKey(ctx, name, "AKIANEW"); err != nil {
			t.Error(err)
		}
	}
	want := []string{"concurrency 000000000001 7", "delete key AKIANEW", "concurrency 000000000001 7", "delete key AKIANEW"}
	if diff := cmp.Diff(want, node.Calls()); diff != "" {
		t.Error(diff)
	}
	if _, err := c.Keys(ctx, "rot"); err == nil || err.Error() != "there is no account rot. Did you mean root?" {
		t.Errorf("got %v", err)
	}
}
