package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// compile builds a Go program and packs it: a static binary named bootstrap
// and nothing else, the same for the same source wherever it is built.
func (p *Project) compile(ctx context.Context) (_ *Package, err error) {
	if _, err := exec.LookPath("go"); err != nil {
		return nil, errors.New("this project is a Go program and there is no go command to compile it: install Go, or compile it elsewhere to a file named bootstrap and deploy the directory that has it")
	}
	dir, err := os.MkdirTemp("", "hearth-build-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags=lambda.norpc", "-ldflags=-s -w", "-o", filepath.Join(dir, "bootstrap"), ".")
	build.Dir = p.Dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	var out bytes.Buffer
	build.Stdout, build.Stderr = &out, &out
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("compile %s: %w\n%s", p.Dir, err, strings.TrimSpace(out.String()))
	}
	return pack(ctx, dir, nil)
}
