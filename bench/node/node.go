// Package node is the benchmarks' view of Hearth: a running `hearth serve` on a
// data directory of its own, and the few requests that its users make. It knows
// the binary and the API, nothing of the code.
//
//	n, err := node.Start(ctx, "bin/hearth", dir, "--overcommit=8")
//	err = n.Deploy(ctx, node.Function{Name: "f", …})
//	took, err := n.Invoke("f", payload)
//	err = n.Stop()
package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hearthd/hearth/bench/load"
)

// Node is a running `hearth serve`. It is for one goroutine.
type Node struct {
	Addr string
	Dir  string
	Key  load.Key
	// StartedIn is the time from the start of the process to the first 200 of
	// its health check.
	StartedIn time.Duration

	process *process

	// api is for one request at a time; connection renews it.
	api  *load.Conn
	used time.Time
}

type process struct {
	*exec.Cmd
	exited chan struct{} // closed when it has ended, err is set then
	err    error
}

const (
	waitAtMost = 5 * time.Minute
	stopWithin = time.Minute
	lookEvery  = 2 * time.Millisecond // how often another process is asked for its state
)

// Start starts a node of the binary on a data directory, and waits until it
// takes invocations. What it says of itself goes to a file beside the directory.
func Start(ctx context.Context, binary, dir string, args ...string) (*Node, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &process{exited: make(chan struct{})}
	n := &Node{Addr: l.Addr().String(), Dir: dir, process: p}
	if err := l.Close(); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(n.Dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own
	p.Cmd = exec.Command(binary, append([]string{"serve", "--data", n.Dir, "--listen", n.Addr}, args...)...)
	p.Stdout, p.Stderr = log, log
	begin := time.Now()
	if err := p.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.Wait()
		close(p.exited)
	}()
	if err := n.ready(ctx, begin); err != nil {
		p.Process.Kill() //nolint:errcheck // it may have ended
		<-p.exited
		out, _ := os.ReadFile(n.Dir + ".log")
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return n, nil
}

func (n *Node) ready(ctx context.Context, begin time.Time) error {
	err := n.Until(ctx, "take invocations", func() (bool, error) {
		res, err := http.Get("http://" + n.Addr + "/hearth/healthz")
		if err != nil {
			return false, nil // it doesn't listen yet
		}
		return res.StatusCode == http.StatusOK, res.Body.Close()
	})
	if err != nil {
		return err
	}
	n.StartedIn = time.Since(begin)
	if n.Key, err = load.ReadKey(filepath.Join(n.Dir, "credentials")); err != nil {
		return err
	}
	return nil
}

// PID is the node's process.
func (n *Node) PID() int { return n.process.Process.Pid }

// hangup closes the connection for requests; the next one opens another.
func (n *Node) hangup() {
	if n.api != nil {
		n.api.Close() // only read
		n.api = nil
	}
}

// connection returns one that the node has not closed for resting too long.
func (n *Node) connection() (*load.Conn, error) {
	now := time.Now()
	if n.api == nil || now.Sub(n.used) > load.RestAfter {
		n.hangup()
		c, err := load.Dial(n.Addr)
		if err != nil {
			return nil, err
		}
		n.api = c
	}
	n.used = now
	return n.api, nil
}

// Until asks again and again, until done or the node or the context ends, for
// five minutes at most.
func (n *Node) Until(ctx context.Context, what string, done func() (bool, error)) error {
	return n.UntilEvery(ctx, lookEvery, what, done)
}

// UntilEvery is [Node.Until] for those who must not keep the node busy.
func (n *Node) UntilEvery(ctx context.Context, every time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, waitAtMost)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-n.process.exited:
			return fmt.Errorf("the node ended: %w", n.process.err)
		case <-ctx.Done():
			return fmt.Errorf("the node did not %s: %w", what, ctx.Err())
		}
	}
}

// Stop ends the node the way a service manager does. A nil node has ended.
func (n *Node) Stop() error {
	if n == nil {
		return nil
	}
	n.hangup()
	if err := n.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-n.process.exited:
	case <-time.After(stopWithin):
		n.process.Process.Kill() //nolint:errcheck // it may have ended
		<-n.process.exited
		return errors.New("the node did not stop when asked to")
	}
	if n.process.err != nil {
		return fmt.Errorf("the node ended: %w", n.process.err)
	}
	return nil
}
