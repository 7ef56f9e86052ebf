package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hearthd/hearth/bench/node"
)

// tools are the programs beside this one, built.
type tools struct {
	baseline, bareContainer string
	echo                    []byte // a zip with the function's bootstrap
}

func buildTools(ctx context.Context, dir string) (tools, error) {
	t := tools{baseline: filepath.Join(dir, "baseline"), bareContainer: filepath.Join(dir, "barecontainer")}
	echo := filepath.Join(dir, "bootstrap")
	for _, b := range []struct {
		out, pkg string
		env      []string
	}{
		{t.baseline, "./bench/baseline", nil},
		{t.bareContainer, "./bench/barecontainer", []string{"CGO_ENABLED=1"}},
		{echo, "./bench/functions/echo", []string{"CGO_ENABLED=0"}},
	} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", b.out, b.pkg)
		cmd.Env = append(os.Environ(), b.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return t, fmt.Errorf("build %s: %w\n%s", b.pkg, err, out)
		}
	}
	binary, err := os.ReadFile(echo)
	if err != nil {
		return t, err
	}
	t.echo, err = node.Zip(map[string][]byte{"bootstrap": binary})
	return t, err
}

// server is a helper process that prints its address and ends with its
// standard input.
type server struct {
	cmd  *exec.Cmd
	in   io.Closer
	addr string
}

func startServer(ctx context.Context, name string, args ...string) (*server, error) {
	s := &server{cmd: exec.CommandContext(ctx, name, args...)}
	s.cmd.Stderr = os.Stderr
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	s.in = in
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	s.addr = strings.TrimSpace(line)
	return s, nil
}

func (s *server) stop() error {
	s.in.Close() // Wait tells
	return s.cmd.Wait()
}

// bareContainers makes containers with libcontainer alone.
type bareContainers struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startBareContainers(ctx context.Context, path string) (*bareContainers, error) {
	c := &bareContainers{cmd: exec.CommandContext(ctx, path)}
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	return c, c.cmd.Start()
}

// once returns how long create and start of one took.
func (c *bareContainers) once() (time.Duration, error) {
	if _, err := io.WriteString(c.in, "\n"); err != nil {
		return 0, err
	}
	line, err := c.out.ReadString('\n')
	if err != nil {
		return 0, err
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return time.Duration(ns), err
}

func (c *bareContainers) stop() error {
	c.in.Close() // Wait tells
	return c.cmd.Wait()
}

// wallTime is how long a command takes from start to end.
func wallTime(ctx context.Context, name string, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return time.Since(begin), nil
}
