// Command vpa gives the same series of memory use to Hearth's sizing, to the
// recommender of the Kubernetes Vertical Pod Autoscaler and to a plain rule,
// and prints what each wastes and how often executions die for memory.
//
// The series are made from fixed seeds: the constants of the model were chosen
// on the seeds from 1 on, the table is of others (from 2001 on).
package main

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"text/tabwriter"
	"time"
)

// outcome is what a rule did with some series.
type outcome struct {
	executions, died, grown, changes int
	given, used                      float64 // MB, summed over executions
}

func (o *outcome) add(x outcome) {
	o.executions += x.executions
	o.died += x.died
	o.grown += x.grown
	o.changes += x.changes
	o.given += x.given
	o.used += x.used
}

func (o *outcome) waste() float64 { return (o.given - o.used) / float64(o.executions) }

// run replays a series. Where the instance has headroom, an execution that
// needs more than its amount is grown in place instead of dying.
func run(r rule, s series, growing bool) outcome {
	var o outcome
	last := float64(s.asked)
	for _, e := range s.uses {
		if e.release {
			r.released(e.at)
		}
		amount := r.amount()
		if amount != last {
			o.changes++
			last = amount
		}
		o.executions++
		o.used += e.peak
		switch {
		case e.peak <= amount:
			o.given += amount
			r.used(e, amount)
		case growing && e.peak <= mostMB:
			o.grown++
			o.given += e.peak
			r.used(e, amount)
		default:
			o.died++
			o.given += max(amount, e.peak) // it runs again, with what it needs
			r.died(e, amount)
		}
	}
	return o
}

var rules = []struct {
	name    string
	growing bool
	make    func(asked int) rule
}{
	{"as asked for", false, func(asked int) rule { return fixed(asked) }},
	{"max x 1.2", false, func(asked int) rule { return &most{now: float64(asked)} }},
	{"VPA", false, func(asked int) rule { return newVPA(asked) }},
	{"Hearth", false, func(asked int) rule { return newHearth(asked) }},
	{"Hearth, growing in place", true, func(asked int) rule { return newHearth(asked) }},
}

// fixed is what the owner asked for.
type fixed float64

func (f fixed) amount() float64       { return float64(f) }
func (fixed) released(time.Time)      {}
func (fixed) used(execution, float64) {}
func (fixed) died(execution, float64) {}

func main() {
	from := flag.Uint64("from", 2001, "first seed")
	seeds := flag.Uint64("seeds", 20, "how many series of each kind")
	flag.Parse()

	type key struct {
		kind string
		rule int
	}
	table := map[key]*outcome{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	turn := make(chan struct{}, 2)
	for _, k := range kinds {
		for seed := *from; seed < *from+*seeds; seed++ {
			wg.Go(func() {
				turn <- struct{}{}
				defer func() { <-turn }()
				s := generate(k, seed)
				for i, r := range rules {
					o := run(r.make(s.asked), s, r.growing)
					mu.Lock()
					for _, at := range []key{{k.name, i}, {"all", i}} {
						if table[at] == nil {
							table[at] = new(outcome)
						}
						table[at].add(o)
					}
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tRULE\tWASTE MB\tDIED %\tGROWN %\tCHANGES")
	names := []string{}
	for _, k := range kinds {
		names = append(names, k.name)
	}
	for _, name := range append(names, "all") {
		for i, r := range rules {
			o := table[key{name, i}]
			n := float64(o.executions)
			fmt.Fprintf(w, "%s\t%s\t%.0f\t%.4f\t%.4f\t%.1f\n", name, r.name, o.waste(), 100*float64(o.died)/n, 100*float64(o.grown)/n, float64(o.changes)/(n/executions))
		}
	}
	w.Flush()
}
