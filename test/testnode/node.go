package testnode

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	startWithin = 60 * time.Second
	stopWithin  = 60 * time.Second
	// pollEvery is how often a node that starts is asked whether it is ready:
	// it is another process and has no other way to say so.
	pollEvery = 20 * time.Millisecond
)

// Options say how to start a node.
type Options struct {
	// Dir is the data directory; a node started again on the same directory
	// goes on where it stopped. "" makes a new one.
	Dir string
	// Args are further arguments of `hearth serve`.
	Args []string
}

// Node is a running `hearth serve`.
type Node struct {
	// Dir is its data directory, URL its endpoint, Name the name that its
	// cgroups and directories on this machine carry.
	Dir, URL, Name string
	// Root are the credentials of the first account.
	Root Credentials

	command *exec.Cmd
	logPath string
	exited  chan struct{} // closed once command has ended and err is set
	err     error
}

// Start launches a node that ends with the test, which fails if the node does
// not stop cleanly.
func Start(tb testing.TB, o Options) *Node {
	tb.Helper()
	Require(tb, Root)
	if o.Dir == "" {
		o.Dir = tb.TempDir()
	}
	n, err := Launch(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := n.Stop(); err != nil {
			tb.Error(err)
		}
		if tb.Failed() {
			tb.Logf("the node's log:\n%s", n.Log())
		}
	})
	return n
}

// Launch starts a node and returns once it takes invocations. The caller ends
// it, by [Node.Stop] or [Node.Kill]; the context bounds the start only.
func Launch(ctx context.Context, o Options) (*Node, error) {
	binary, err := Binary()
	if err != nil {
		return nil, err
	}
	if o.Dir == "" {
		return nil, errors.New("a node needs a data directory")
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	n := &Node{Dir: o.Dir, URL: "http://" + address, exited: make(chan struct{})}
	n.logPath = filepath.Clean(o.Dir) + ".log"
	logFile, err := os.OpenFile(n.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	n.command = exec.Command(binary, append([]string{"serve", "--data", o.Dir, "--listen", address}, o.Args...)...)
	n.command.Stdout, n.command.Stderr = logFile, logFile
	if err := n.command.Start(); err != nil {
		return nil, fmt.Errorf("start hearth: %w", err)
	}
	go func() {
		n.err = n.command.Wait()
		close(n.exited)
	}()
	if err := n.ready(ctx); err != nil {
		_ = n.Kill()
		return nil, fmt.Errorf("%w\nthe node's log:\n%s", err, n.Log())
	}
	return n, nil
}

// ready waits until the node takes invocations and learns who it is.
func (n *Node) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !n.healthy(ctx) {
		select {
		case <-n.exited:
			return fmt.Errorf("hearth serve ended before it was ready: %w", n.err)
		case <-ctx.Done():
			return fmt.Errorf("hearth serve is not ready: %w", ctx.Err())
		case <-tick.C:
		}
	}
	var err error
	if n.Root, err = readCredentials(filepath.Join(n.Dir, "credentials")); err != nil {
		return err
	}
	var ps struct{ Node string }
	if err := n.Native(ctx, n.Root, http.MethodGet, "/hearth/v1/ps", nil, &ps); err != nil {
		return fmt.Errorf("ask the node for its name: %w", err)
	}
	n.Name = ps.Node
	return nil
}

func (n *Node) healthy(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.URL+"/hearth/healthz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// Stop asks the node to end (SIGTERM), waits until it has, and returns an
// error when it ended badly or left anything behind.
func (n *Node) Stop() error {
	select {
	case <-n.exited: // it was killed before, by the test
		return nil
	default:
	}
	if err := n.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the node: %w", err)
	}
	select {
	case <-n.exited:
	case <-time.After(stopWithin):
		_ = n.command.Process.Signal(syscall.SIGQUIT) // Go prints all goroutines to the log
		<-n.exited
		return fmt.Errorf("the node did not stop within %s of SIGTERM; its goroutines are in the log", stopWithin)
	}
	if n.err != nil {
		return fmt.Errorf("the node ended badly: %w", n.err)
	}
	left, err := Traces(n.Name, n.Dir)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("the node left behind:\n  %s", strings.Join(left, "\n  "))
	}
	return nil
}

// Kill ends the node's own process by SIGKILL, as a crash would: nothing of it
// gets to clean up.
func (n *Node) Kill() error {
	if err := n.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-n.exited
	return nil
}

// Exited is closed when the node's process has ended, for whatever reason.
func (n *Node) Exited() <-chan struct{} { return n.exited }

// Log returns the last lines of what the node printed.
func (n *Node) Log() string {
	const keep = 2000 // enough for a dump of all goroutines
	f, err := os.Open(n.logPath)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	var lines []string
	for s := bufio.NewScanner(f); s.Scan(); {
		lines = append(lines, s.Text())
		if len(lines) > keep {
			lines = lines[1:]
		}
	}
	return strings.Join(lines, "\n")
}

// freeAddress returns a loopback address that nobody listens on at the moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
