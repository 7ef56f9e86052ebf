// Command bench measures Hearth against what it is built on and prints a
// table: every figure, its target, what was measured, and the command that
// repeats that row alone.
//
//	make bench                        everything (about a quarter of an hour)
//	go run ./bench -only warm         one scenario
//	go run ./bench -quick             few and short rounds, to see that it runs
//
// It starts the real bin/hearth, on a data directory of its own, and talks to
// it as a user would: signed requests over HTTP. All figures are ratios taken
// in one run on one machine, or sizes. Rounds of what is compared alternate
// (A B A B …), so that a machine that slows down slows both; what is printed
// are medians over rounds. It asserts nothing: a missed target is printed as
// such, and only what could not be measured makes it fail.
//
// It needs root, as `hearth serve` does, and a python3 and a node for the
// scenarios about them.
package main

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
)

// bench is one run: what it was asked for and where its things are.
type bench struct {
	hearth string // the binary
	dir    string // for data directories; removed at the end
	tools  tools

	rounds int
	quick  bool
}

// scenario is a group of rows that one set-up gives.
type scenario struct {
	name, about string
	run         func(*bench, context.Context) ([]row, error)
}

var scenarios = []scenario{
	{"warm", "an echo function against a reverse proxy", (*bench).warm},
	{"cold", "never-run functions, environments pre-booted", (*bench).cold},
	{"empty", "never-run functions, nothing pre-booted", (*bench).empty},
	{"burst", "200 cold functions at once", (*bench).burst},
	{"thaw", "what a frozen environment adds", (*bench).thaw},
	{"idle", "500 idle environments", (*bench).idle},
	{"catalog", "100,000 functions", (*bench).catalog},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var names []string
	about := "scenarios to run, separated by commas:"
	for _, s := range scenarios {
		names = append(names, s.name)
		about += fmt.Sprintf("\n%-8s %s", s.name, s.about)
	}
	only := flag.String("only", strings.Join(names, ","), about)
	rounds := flag.Int("rounds", 5, "rounds of each comparison; medians are taken over them")
	quick := flag.Bool("quick", false, "fewer, shorter and smaller: shows that everything runs, not how fast")
	hearth := flag.String("hearth", "bin/hearth", "the binary to measure")
	flag.Parse()

	b := &bench{hearth: *hearth, rounds: *rounds, quick: *quick}
	if b.quick {
		b.rounds = min(b.rounds, 2)
	}
	if _, err := os.Stat(b.hearth); err != nil {
		return fmt.Errorf("%w; `make build` makes it", err)
	}
	var err error
	if b.dir, err = os.MkdirTemp("", "hearth-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir) // temporary
	if b.tools, err = buildTools(ctx, filepath.Join(b.dir, "tools")); err != nil {
		return err
	}

	t := table{out: os.Stdout}
	t.head(machine())
	var failures []error
	for name := range strings.SplitSeq(*only, ",") {
		i := slices.Index(names, name)
		if i < 0 {
			return fmt.Errorf("no scenario is called %q; there are %s", name, strings.Join(names, ", "))
		}
		begin := time.Now()
		fmt.Fprintf(os.Stderr, "%s: %s …", name, scenarios[i].about)
		rows, err := scenarios[i].run(b, ctx)
		fmt.Fprintf(os.Stderr, " %.0f s\n", time.Since(begin).Seconds())
		for _, r := range rows {
			r.repeat = "go run ./bench -only " + name
			t.row(r)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", name, err))
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
	return fmt.Sprintf("%d CPUs (%s), %d MB, Linux %s, %s", runtime.NumCPU(), cpuModel(), memInfo("MemTotal")>>20, kernel, runtime.Version())
}
