// Hearth is a self-hosted serverless platform in one binary: `hearth serve` is
// a node, the other commands speak to one.
//
// This package is the command tree: flags, wiring and how results are printed.
// What the commands do is in internal/client, internal/project, internal/demo
// and internal/server.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Set by the linker; see the Makefile.
var version, commit string

func main() {
	// The first signal asks to stop, the second one ends the process.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	err := newRoot(a).ExecuteContext(ctx)
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		os.Exit(130) // as shells say of a process that was interrupted
	default:
		fmt.Fprintln(os.Stderr, "hearth:", err)
		os.Exit(1)
	}
}
