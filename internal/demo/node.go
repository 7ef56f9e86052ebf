package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

const (
	startWithin = 60 * time.Second
	stopWithin  = 60 * time.Second
	// lookEvery is how often the node is asked whether it is ready.
	lookEvery = 10 * time.Millisecond
	// shownLog is how much of the node's own log is shown when it fails.
	shownLog = 4 << 10
)

// node is a `hearth serve`.
type node struct {
	url     string
	dir     string
	process *os.Process
	ended   chan struct{} // closed when the process has ended and err is set
	err     error
}

// startNode starts a node in dir and returns when it takes invocations.
func startNode(ctx context.Context, dir string) (*node, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, err
	}
	n := &node{url: "http://" + address, dir: dir, ended: make(chan struct{})}
	if err := n.start(address); err != nil {
		return nil, fmt.Errorf("start a node: %w", err)
	}
	if err := n.ready(ctx); err != nil {
		if ctx.Err() == nil {
			err = fmt.Errorf("%w\nThe node's log:\n%s", err, n.log())
		}
		return nil, errors.Join(err, n.stop())
	}
	return n, nil
}

// start starts the process. It is in a process group of its own, so that the
// terminal's interrupt reaches only us, and is told to stop when we die.
func (n *node) start(address string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(n.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command(self, "serve", "--data", filepath.Join(n.dir, "data"), "--listen", address)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	go func() {
		// The signal comes when the thread that started the process ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			n.err = command.Wait()
			close(n.ended)
		}
	}()
	err = <-started
	n.process = command.Process
	return err
}

func (n *node) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url+"/hearth/healthz", nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-n.ended:
			return errors.New("the node ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("the node is not ready: %w", ctx.Err())
		}
	}
}

// stop asks the node to end and waits until it has, however long it is asked
// in vain.
func (n *node) stop() error {
	select {
	case <-n.ended:
	default:
		if err := n.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		select {
		case <-n.ended:
		case <-time.After(stopWithin):
			err := errors.Join(fmt.Errorf("the node did not stop within %s", stopWithin), n.process.Kill())
			<-n.ended
			return err
		}
	}
	if n.err != nil {
		return fmt.Errorf("the node ended badly: %w", n.err)
	}
	return nil
}

func (n *node) credentials() string { return filepath.Join(n.dir, "data", "credentials") }

func (n *node) logPath() string { return filepath.Join(n.dir, "node.log") }

// log returns the end of what the node printed.
func (n *node) log() []byte {
	b, err := os.ReadFile(n.logPath())
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(b[max(0, len(b)-shownLog):])
}
