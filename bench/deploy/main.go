// Command deploy measures what callers notice of deployments, and prints a
// table:
//
//	make bench-deploy                         everything (about three quarters of an hour)
//	go run ./bench/deploy -only deploy        one scenario
//	go run ./bench/deploy -rate 100           at a given load, without the probe
//	go run ./bench/deploy -quick              few and short, to see that it runs
//
// # Method
//
// The function is a Python handler that answers which release it is and when
// its initialisation ended. Requests for it are due at a constant rate, half of
// the highest that this machine bears (a probe finds it first: generator, node
// and functions share the machine's CPUs, and the generator goes first, since it
// stands for other machines); a latency is the time from when a request was due
// to its answer, so that nothing that a stall delays is overlooked (coordinated
// omission).
//
// Meanwhile the function's code is updated again and again. Windows with an
// update alternate with windows without one in the same run, so that whatever
// else happens on the machine hits both. A window with an update goes from the
// request for it until the API calls it Successful, and on for a second. In the
// four seconds after that the node boots what stands by for the next change;
// they count to neither and are shown by themselves. Compared is the p99 of all
// requests due in the ones and in the others.
//
// Who waited for an initialisation is not asked of the node: a request did that
// was answered by an environment whose initialisation ended after the request
// had been sent. All processes read the same clock.
//
// Each scenario is repeated with fewer updates under the policy `strict`, which
// is what a platform without a deployment manager does: requests that come
// after an update wait for the new code.
package main

import (
	"context"
	"flag"

	"github.com/hearthd/hearth/bench/suite"
)

// bench is one run.
type bench struct {
	suite.Run

	updates int
	clients int
	rate    float64 // 0 until the probe has decided
}

func main() {
	b := &bench{}
	suite.Command{
		Path: "./bench/deploy",
		Scenarios: []suite.Scenario{
			{Name: "capacity", About: "the load that this machine bears", Run: b.capacity},
			{Name: "deploy", About: "updates of the code", Run: b.deploy},
			{Name: "deploy-slow", About: "updates with a download of 3 s and an initialisation of 2 s", Run: b.slow},
			{Name: "deploy-alias", About: "an alias moved from version to version", Run: b.alias},
			{Name: "deploy-rollout", About: "roll-outs in steps, one of them of a broken version", Run: b.rollouts},
			{Name: "deploy-switch", About: "from an update's answer to the new code's first", Run: b.switches},
		},
		Flags: func(f *flag.FlagSet) {
			f.IntVar(&b.updates, "updates", 50, "updates in each scenario; a fifth of them under strict")
			f.IntVar(&b.clients, "connections", 16, "connections of the load generator")
			f.Float64Var(&b.rate, "rate", 0, "requests per second (default: half of what the machine bears)")
		},
		SetUp: func(_ context.Context, r suite.Run) error {
			b.Run = r
			if b.Quick {
				b.updates = min(b.updates, 5)
			}
			return nil
		},
	}.Main()
}
