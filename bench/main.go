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
	"flag"
	"path/filepath"

	"github.com/hearthd/hearth/bench/suite"
)

// bench is one run.
type bench struct {
	suite.Run
	tools  tools
	rounds int
}

func main() {
	b := &bench{}
	suite.Command{
		Path: "./bench",
		Scenarios: []suite.Scenario{
			{Name: "warm", About: "an echo function against a reverse proxy", Run: b.warm},
			{Name: "cold", About: "never-run functions, environments pre-booted", Run: b.cold},
			{Name: "empty", About: "never-run functions, nothing pre-booted", Run: b.empty},
			{Name: "burst", About: "200 cold functions at once", Run: b.burst},
			{Name: "thaw", About: "what a frozen environment adds", Run: b.thaw},
			{Name: "idle", About: "500 idle environments", Run: b.idle},
			{Name: "catalog", About: "100,000 functions", Run: b.catalog},
		},
		Flags: func(f *flag.FlagSet) {
			f.IntVar(&b.rounds, "rounds", 5, "rounds of each comparison; medians are taken over them")
		},
		SetUp: b.setUp,
	}.Main()
}

func (b *bench) setUp(ctx context.Context, r suite.Run) (err error) {
	b.Run = r
	if b.Quick {
		b.rounds = min(b.rounds, 2)
	}
	b.tools, err = buildTools(ctx, filepath.Join(b.Dir, "tools"))
	return err
}
