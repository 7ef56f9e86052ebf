// Package suite is what the benchmark commands have in common: scenarios that
// give rows, the flags to choose among them, a directory that is removed in the
// end, and the table.
//
// They assert nothing: a missed target is printed as such, and only what could
// not be measured makes a command fail.
package suite

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hearthd/hearth/bench/node"
	"github.com/hearthd/hearth/bench/proc"
)

// Command is one benchmark command.
type Command struct {
	// Path is what `go run` is given.
	Path      string
	Scenarios []Scenario
	// Flags adds flags to those that all commands have; it may be nil.
	Flags func(*flag.FlagSet)
	// SetUp is called once the flags are read, before the first scenario.
	SetUp func(context.Context, Run) error
}

// Scenario is a group of rows that one set-up gives.
type Scenario struct {
	Name, About string
	Run         func(context.Context) ([]Row, error)
}

// Run is what one run was asked for and where its things are.
type Run struct {
	Hearth string // the binary
	Dir    string // for data directories; removed at the end
	Quick  bool
}

// Start starts a node on the data directory of that name.
func (r Run) Start(ctx context.Context, name string, args ...string) (*node.Node, error) {
	return node.Start(ctx, r.Hearth, filepath.Join(r.Dir, name), args...)
}

// Main is a command's main function.
func (c Command) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := c.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (c Command) run(ctx context.Context) error {
	var names []string
	about := "scenarios to run, separated by commas:"
	for _, s := range c.Scenarios {
		names = append(names, s.Name)
		about += fmt.Sprintf("\n%-8s %s", s.Name, s.About)
	}
	only := flag.String("only", strings.Join(names, ","), about)
	quick := flag.Bool("quick", false, "fewer, shorter and smaller: shows that everything runs, not how fast")
	hearth := flag.String("hearth", "bin/hearth", "the binary to measure")
	if c.Flags != nil {
		c.Flags(flag.CommandLine)
	}
	flag.Parse()

	var chosen []Scenario
	for name := range strings.SplitSeq(*only, ",") {
		i := slices.Index(names, name)
		if i < 0 {
			return fmt.Errorf("no scenario is called %q; there are %s", name, strings.Join(names, ", "))
		}
		chosen = append(chosen, c.Scenarios[i])
	}
	if _, err := os.Stat(*hearth); err != nil {
		return fmt.Errorf("%w; `make build` makes it", err)
	}
	dir, err := os.MkdirTemp("", "hearth-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // temporary
	if err := c.SetUp(ctx, Run{Hearth: *hearth, Dir: dir, Quick: *quick}); err != nil {
		return err
	}
	return c.measure(ctx, chosen)
}

// measure runs the scenarios one after the other and prints their rows.
func (c Command) measure(ctx context.Context, chosen []Scenario) error {
	t := table{out: os.Stdout}
	t.head(machine())
	var failures []error
	for _, s := range chosen {
		begin := time.Now()
		fmt.Fprintf(os.Stderr, "%s: %s …", s.Name, s.About)
		rows, err := s.Run(ctx)
		fmt.Fprintf(os.Stderr, " %.0f s\n", time.Since(begin).Seconds())
		for _, r := range rows {
			t.row(r, "go run "+c.Path+" -only "+s.Name)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", s.Name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failures...)
}

// machine describes where the figures come from.
func machine() string {
	var u syscall.Utsname
	kernel := ""
	if syscall.Uname(&u) == nil {
		for _, c := range u.Release {
			if c == 0 {
				break
			}
			kernel += string(rune(c))
		}
	}
	return fmt.Sprintf("%d CPUs (%s), %d MB, Linux %s, %s", runtime.NumCPU(), proc.CPUModel(), proc.MemInfo("MemTotal")>>20, kernel, runtime.Version())
}
