// Command sizing replays a mixed workload of functions that are asked for with
// the generous amounts of memory that people set, and prints what automatic
// sizing makes of them:
//
//	make bench-sizing                       ten minutes
//	go run ./bench/sizing -duration 2m      a short replay
//	go run ./bench/sizing -seed 7           another sequence of arrivals and inputs
//	go run ./bench/sizing -functions        a line for each function as well
//
// # Method
//
// Every function of the workload exists twice, with the same code and the same
// MemorySize: once with hearth:sizing=off and once with hearth:sizing=apply and
// the goal speed. Each arrival of the sequence, which the seed decides, is sent
// to both, with the same input, a moment apart and in an order that alternates
// by chance. So both meet the same work, on the same machine at the same time,
// and whatever disturbs one disturbs the other.
//
// Arrivals are an open loop (Poisson for each function): they don't wait for
// answers. Durations, amounts and peaks are what the REPORT line of each
// execution says, so that no latency of client or queue is in them.
//
// Sizing learns during the replay, and what it costs until then counts. Its
// threshold and window, by default a hundred executions and ten minutes, are set
// so that minutes suffice; the table says how. Everything else of sizing is as
// it is by default.
package main

import (
	"context"
	"flag"
	"time"

	"github.com/hearthd/hearth/bench/suite"
)

// bench is one run.
type bench struct {
	suite.Run

	seed      uint64
	duration  time.Duration
	rate      float64
	clients   int
	threshold int
	window    time.Duration
	plot      string
	each      bool
}

// briefly is the length of a quick replay.
const briefly = 2 * time.Minute

func main() {
	b := &bench{}
	suite.Command{
		Path:      "./bench/sizing",
		Scenarios: []suite.Scenario{{Name: "replay", About: "a mixed workload with and without automatic sizing", Run: b.replay}},
		Flags: func(f *flag.FlagSet) {
			f.Uint64Var(&b.seed, "seed", 1, "decides arrivals and inputs")
			f.DurationVar(&b.duration, "duration", 10*time.Minute, "length of the replay; -quick makes it "+briefly.String()+" at most")
			f.Float64Var(&b.rate, "rate", 15, "arrivals per second, of all functions together; each is sent twice")
			f.IntVar(&b.clients, "connections", 24, "connections of the load generator")
			f.IntVar(&b.threshold, "threshold", 10, "hearth:sizing-threshold of the functions that are sized")
			f.DurationVar(&b.window, "window", 5*time.Second, "the node's --sizing-window")
			f.StringVar(&b.plot, "plot", "docs/sizing-replay.png", "where the plot goes, \"\" for nowhere")
			f.BoolVar(&b.each, "functions", false, "tell of each function as well")
		},
		SetUp: func(_ context.Context, r suite.Run) error {
			b.Run = r
			if b.Quick {
				b.duration = min(b.duration, briefly)
			}
			return nil
		},
	}.Main()
}
