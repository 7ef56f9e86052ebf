package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/hearthd/hearth/bench/load"
)

// node is a running `hearth serve`.
type node struct {
	addr string
	dir  string
	key  load.Key
	// startedIn is the time from the start of the process to the first 200 of
	// its health check.
	startedIn time.Duration
	cmd       *exec.Cmd
	exited    chan struct{} // closed when the process has ended, err is set then
	err       error

	// api is for one request at a time; connection renews it.
	api  *load.Conn
	used time.Time
}

const (
	startWithin = time.Minute
	stopWithin  = time.Minute
	lookEvery   = 2 * time.Millisecond // how often another process is asked for its state
)

// start starts a node on the data directory of that name.
func (b *bench) start(ctx context.Context, name string, args ...string) (*node, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n := &node{addr: l.Addr().String(), dir: filepath.Join(b.dir, name), exited: make(chan struct{})}
	if err := l.Close(); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(n.dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own
	n.cmd = exec.Command(b.hearth, append([]string{"serve", "--data", n.dir, "--listen", n.addr}, args...)...)
	n.cmd.Stdout, n.cmd.Stderr = log, log
	begin := time.Now()
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		n.err = n.cmd.Wait()
		close(n.exited)
	}()
	if err := n.ready(ctx, begin); err != nil {
		n.cmd.Process.Kill() //nolint:errcheck // it may have ended
		<-n.exited
		out, _ := os.ReadFile(n.dir + ".log")
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return n, nil
}

func (n *node) ready(ctx context.Context, begin time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	err := n.until(ctx, "take invocations", func() (bool, error) {
		res, err := http.Get("http://" + n.addr + "/hearth/healthz")
		if err != nil {
			return false, nil // it doesn't listen yet
		}
		return res.StatusCode == http.StatusOK, res.Body.Close()
	})
	if err != nil {
		return err
	}
	n.startedIn = time.Since(begin)
	if n.key, err = load.ReadKey(filepath.Join(n.dir, "credentials")); err != nil {
		return err
	}
	return nil
}

// restAfter is how long a connection may rest before the node may have closed
// it.
const restAfter = 5 * time.Second

// connection returns one that the node has not closed for resting too long.
func (n *node) connection() (*load.Conn, error) {
	now := time.Now()
	if n.api == nil || now.Sub(n.used) > restAfter {
		if n.api != nil {
			n.api.Close() // the node may have done it already
		}
		c, err := load.Dial(n.addr)
		if err != nil {
			return nil, err
		}
		n.api = c
	}
	n.used = now
	return n.api, nil
}

// until asks again and again, until done or the node or the context ends.
func (n *node) until(ctx context.Context, what string, done func() (bool, error)) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-n.exited:
			return fmt.Errorf("the node ended: %w", n.err)
		case <-ctx.Done():
			return fmt.Errorf("the node did not %s: %w", what, ctx.Err())
		}
	}
}

// stop ends the node the way a service manager does. A nil node has ended.
func (n *node) stop() error {
	if n == nil {
		return nil
	}
	if n.api != nil {
		n.api.Close() // only read
	}
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-n.exited:
	case <-time.After(stopWithin):
		n.cmd.Process.Kill() //nolint:errcheck // it may have ended
		<-n.exited
		return errors.New("the node did not stop when asked to")
	}
	if n.err != nil {
		return fmt.Errorf("the node ended: %w", n.err)
	}
	return nil
}

// call makes one request to Lambda's or Hearth's own API.
func (n *node) call(method, path string, body []byte, answer any) (int, error) {
	c, err := n.connection()
	if err != nil {
		return 0, err
	}
	status, err := c.Do(n.key.Sign(load.Request{Method: method, Path: path, Host: n.addr, Body: body}, time.Now()))
	if err != nil {
		return 0, err
	}
	if status >= 300 {
		return status, fmt.Errorf("%s %s: %d %s", method, path, status, c.Body)
	}
	if answer != nil {
		err = json.Unmarshal(c.Body, answer)
	}
	return status, err
}

// function is what is deployed.
type function struct {
	Name, Runtime, Handler string
	Memory                 int
	Zip                    []byte
	Environment            map[string]string
}

const functions = "/2015-03-31/functions"

// create is the body of a CreateFunction.
func (f function) create() []byte {
	arch := map[string]string{"amd64": "x86_64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	b, err := json.Marshal(map[string]any{
		"FunctionName": f.Name, "Runtime": f.Runtime, "Handler": f.Handler, "MemorySize": f.Memory, "Timeout": 60,
		"Role": "arn:aws:iam::123456789012:role/bench", "Architectures": []string{arch},
		"Code":        map[string]any{"ZipFile": base64.StdEncoding.EncodeToString(f.Zip)},
		"Environment": map[string]any{"Variables": f.Environment},
	})
	if err != nil {
		panic(err) // strings and numbers
	}
	return b
}

// deploy creates functions and waits until they take invocations.
func (n *node) deploy(ctx context.Context, list ...function) error {
	requests := make([]load.Request, len(list))
	for i, f := range list {
		requests[i] = load.Request{Method: "POST", Path: functions, Host: n.addr, Body: f.create()}
	}
	res, err := load.Run(ctx, load.Options{Key: n.key, Addr: n.addr, Clients: min(8, len(list)), Requests: requests, Want: http.StatusCreated})
	if err == nil {
		err = res.Check()
	}
	if err != nil {
		return err
	}
	for _, f := range list {
		if err := n.active(ctx, f.Name); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) active(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	return n.until(ctx, "activate "+name, func() (bool, error) {
		var c struct{ State, StateReason string }
		if _, err := n.call("GET", functions+"/"+name+"/configuration", nil, &c); err != nil {
			return false, err
		}
		if c.State == "Failed" {
			return false, errors.New(c.StateReason)
		}
		return c.State == "Active", nil
	})
}

func (n *node) delete(name string) error {
	_, err := n.call("DELETE", functions+"/"+name, nil, nil)
	return err
}

// invocation is a request to invoke a function. The host is not the real one,
// so that the same bytes go to any address.
func invocation(name string, payload []byte) load.Request {
	return load.Request{Method: "POST", Path: functions + "/" + name + "/invocations", Host: "lambda.local", Body: payload}
}

// invoke invokes a function once and returns what the client waited.
func (n *node) invoke(name string, payload []byte) (time.Duration, error) {
	c, err := n.connection()
	if err != nil {
		return 0, err
	}
	b := n.key.Sign(invocation(name, payload), time.Now())
	begin := time.Now()
	status, err := c.Do(b)
	took := time.Since(begin)
	switch {
	case err != nil:
		return 0, err
	case status != http.StatusOK || c.FunctionError:
		return 0, fmt.Errorf("invoke %s: %d %s", name, status, c.Body)
	}
	return took, nil
}

// environments counts the node's environments by what pick says of each.
func (n *node) environments(pick func(environment) bool) (int, error) {
	var ps struct {
		Instances []struct{ Environments []environment }
	}
	if _, err := n.call("GET", "/hearth/v1/ps", nil, &ps); err != nil {
		return 0, err
	}
	count := 0
	for _, i := range ps.Instances {
		for _, e := range i.Environments {
			if pick(e) {
				count++
			}
		}
	}
	return count, nil
}

// environment is what `hearth ps` tells of one.
type environment struct{ Runtime, Function, State string }

// interpreter returns the binary that serves a runtime's language on the node.
func (n *node) interpreter(family string) (name, path string, err error) {
	var answer struct {
		Runtimes []struct{ Name, Family, Path string }
	}
	if _, err := n.call("GET", "/hearth/v1/runtimes", nil, &answer); err != nil {
		return "", "", err
	}
	for _, r := range answer.Runtimes {
		if strings.EqualFold(r.Family, family) {
			return r.Name, r.Path, nil
		}
	}
	return "", "", fmt.Errorf("the node has no %s", family)
}
