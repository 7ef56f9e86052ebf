package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hearthd/hearth/bench/load"
	"github.com/hearthd/hearth/bench/node"
)

// source is the code of a release: it answers with its number and the moment
// at which its initialisation ended, or fails with its number.
const source = `import random, time

time.sleep(%g)
NUMBER, FAILING = %d, %g
ANSWER = [NUMBER, time.time_ns()]

def handler(event, context):
    if FAILING and random.random() < FAILING:
        raise RuntimeError("broken release [%%d]" %% NUMBER)
    return ANSWER
`

// appMemory gives the function one whole CPU, as in Lambda.
const appMemory = 1769

// app is the function that is deployed again and again.
type app struct {
	n    *node.Node
	name string
	// init is how long a release's initialisation takes besides what Python needs.
	init time.Duration
	// broken is the release that fails brokenShare of its requests; 0 for none.
	broken int
}

// brokenShare is what a broken release fails: a fault that a few trials by
// hand may not find.
const brokenShare = .1

// The policies by which an update's callers wait or do not.
const (
	servePrevious = "serve-previous"
	strict        = "strict"
)

// newApp creates the function with release 1.
func newApp(ctx context.Context, n *node.Node, name, policy string, init time.Duration) (*app, error) {
	a := &app{n: n, name: name, init: init}
	runtime, _, err := n.Interpreter("python")
	if err != nil {
		return nil, err
	}
	zip, err := a.release(1)
	if err != nil {
		return nil, err
	}
	return a, n.Deploy(ctx, node.Function{
		Name: name, Runtime: runtime, Handler: "app.handler", Memory: appMemory, Zip: zip,
		Tags: map[string]string{"hearth:update-policy": policy},
	})
}

func (a *app) release(number int) ([]byte, error) {
	failing := 0.
	if number == a.broken {
		failing = brokenShare
	}
	return node.Zip(map[string][]byte{"app.py": fmt.Appendf(nil, source, a.init.Seconds(), number, failing)})
}

// update sends the code of a release and returns when that was acknowledged.
func (a *app) update(number int) error {
	zip, err := a.release(number)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"ZipFile": base64.StdEncoding.EncodeToString(zip)})
	if err != nil {
		return err
	}
	_, err = a.n.Call("PUT", node.Functions+"/"+a.name+"/code", body, nil)
	return err
}

// pollEvery is how often an update's state is asked for: seldom enough to be
// no load.
const pollEvery = 20 * time.Millisecond

// updated waits until the last update is Successful.
func (a *app) updated(ctx context.Context) error {
	return a.n.UntilEvery(ctx, pollEvery, "update "+a.name, func() (bool, error) {
		var c struct{ LastUpdateStatus, LastUpdateStatusReason string }
		if _, err := a.n.Call("GET", node.Functions+"/"+a.name+"/configuration", nil, &c); err != nil {
			return false, err
		}
		if c.LastUpdateStatus == "Failed" {
			return false, errors.New(c.LastUpdateStatusReason)
		}
		return c.LastUpdateStatus == "Successful", nil
	})
}

// publish makes a version of what $LATEST is and returns its number.
func (a *app) publish() (string, error) {
	var v struct{ Version string }
	_, err := a.n.Call("POST", node.Functions+"/"+a.name+"/versions", []byte("{}"), &v)
	return v.Version, err
}

// request is an invocation of the function, or of its alias or version.
func (a *app) request(qualifier string) load.Request {
	r := node.Invocation(a.name, []byte("{}"))
	if qualifier != "" {
		r.Path += "?Qualifier=" + qualifier
	}
	return r
}

// mark is what an answer of the function says: the release, whether the request
// waited for its environment's initialisation, and whether it met the fault of
// a broken release.
type mark uint64

func (m mark) release() int { return int(m >> 2) }
func (m mark) waited() bool { return m&waitedBit != 0 }
func (m mark) broken() bool { return m&brokenBit != 0 }

const (
	waitedBit = 1 << iota
	brokenBit
	releaseUnit
)

// judge reads an answer, for [load.Open].
func judge(c *load.Conn, status int, sent time.Time) (uint64, error) {
	if number, ok := brokenRelease(c.Body); c.FunctionError && ok {
		return uint64(number)*releaseUnit | brokenBit, nil
	}
	if status != 200 || c.FunctionError {
		return 0, fmt.Errorf("status %d: %.300s", status, c.Body)
	}
	number, ready, ok := parse(c.Body)
	if !ok {
		return 0, fmt.Errorf("not an answer of the function: %.300s", c.Body)
	}
	m := uint64(number) * releaseUnit
	if ready > sent.UnixNano() {
		m |= waitedBit
	}
	return m, nil
}

// brokenRelease reads the error of a release that fails on purpose.
func brokenRelease(body []byte) (release int64, ok bool) {
	_, rest, ok := bytes.Cut(body, []byte("broken release ["))
	number, _, ok2 := bytes.Cut(rest, []byte("]"))
	release, err := strconv.ParseInt(string(number), 10, 32)
	return release, ok && ok2 && err == nil
}

// parse reads "[7, 1764280000000000000]" without allocating.
func parse(body []byte) (release, ready int64, ok bool) {
	inner, ok := bytes.CutPrefix(body, []byte("["))
	inner, ok2 := bytes.CutSuffix(inner, []byte("]"))
	first, second, ok3 := bytes.Cut(inner, []byte(","))
	release, err := strconv.ParseInt(string(bytes.TrimSpace(first)), 10, 32)
	ready, err2 := strconv.ParseInt(string(bytes.TrimSpace(second)), 10, 64)
	return release, ready, ok && ok2 && ok3 && err == nil && err2 == nil
}
