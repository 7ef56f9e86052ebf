package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/hearthd/hearth/bench/load"
	"github.com/hearthd/hearth/bench/suite"
)

// What sizing should reach.
const (
	leastSaving  = .60  // of the GB-seconds allocated
	mostFailing  = .001 // of the executions, for want of memory
	mostSlowdown = 1.1  // of the p95 of the durations
)

// rows compares the twins.
func (b *bench) rows(r result) []suite.Row {
	offSum, applySum := sum(flatten(r.executions[off])), sum(flatten(r.executions[apply]))
	held := r.held()
	rows := []suite.Row{
		suite.Told("replay: functions, arrivals, length", "%d, %d (each to both twins), %s, seed %d", len(workload), offSum.count, b.duration, b.seed),
		suite.Told("replay: settings of the sized twins", "%s", b.settings()),
		saving("replay: GB-s of executions saved", offSum.gbSeconds, applySum.gbSeconds),
		saving("replay: GB-s held by environments saved", held[off], held[apply]),
		r.failures(applySum),
		suite.Told("replay: the same without sizing", "%d of %d failed, %d of them for memory", offSum.failed, offSum.count, offSum.memory),
		suite.AtMost("replay: p95 of durations to that without sizing", float64(applySum.p95)/float64(offSum.p95), mostSlowdown, suite.Versus(applySum.p95, offSum.p95)),
		r.slowdowns("p95", func(t totals) time.Duration { return t.p95 }),
		suite.Told("replay: p50 of durations to that without sizing", "%.2f×  %s", float64(applySum.p50)/float64(offSum.p50), suite.Versus(applySum.p50, offSum.p50)),
		r.slowdowns("p50", func(t totals) time.Duration { return t.p50 }),
		suite.Told("replay: requests without an answer", "%d", r.lost),
		suite.Told("replay: the machine's processors were busy", "%.0f%% of the time", r.busy*100),
	}
	if r.err != nil {
		rows = append(rows, suite.Told("replay: the first of them", "%v", r.err))
	}
	if b.each {
		for f, e := range workload {
			rows = append(rows, eachRow(e, r.executions[off][f], r.executions[apply][f]))
		}
	}
	return rows
}

// totals are of many executions.
type totals struct {
	count, failed, memory int
	gbSeconds             float64
	p50, p95              time.Duration
}

func sum(list []execution) (t totals) {
	var durations []time.Duration
	for _, x := range list {
		t.count++
		t.gbSeconds += x.gbSeconds()
		durations = append(durations, x.duration)
		if x.failed != "" {
			t.failed++
		}
		if x.memory {
			t.memory++
		}
	}
	slices.Sort(durations)
	t.p50, t.p95 = load.Percentile(durations, .5), load.Percentile(durations, .95)
	return t
}

func flatten(byFunction [][]execution) []execution { return slices.Concat(byFunction...) }

// held is the GB-seconds that environments held, idle ones included.
func (r result) held() (sum [twins]float64) {
	last := time.Duration(0)
	for _, s := range r.samples {
		for twin := range twins {
			sum[twin] += s.allocated[twin] * (s.at - last).Seconds()
		}
		last = s.at
	}
	return sum
}

func saving(figure string, without, with float64) suite.Row {
	saved := 1 - with/without
	return suite.Row{
		Figure: figure, Target: fmt.Sprintf("≥ %.0f%%", leastSaving*100), Met: saved >= leastSaving,
		Value: fmt.Sprintf("%.1f%%  (%.0f GB-s : %.0f GB-s)", saved*100, with, without),
	}
}

// failures counts every failure of a sized execution, whatever for: the
// workload itself never fails.
func (r result) failures(t totals) suite.Row {
	share := float64(t.failed) / float64(t.count)
	row := suite.Row{
		Figure: "replay: executions that failed", Target: fmt.Sprintf("≤ %.1f%%", mostFailing*100), Met: share <= mostFailing,
		Value: fmt.Sprintf("%.2f%%  (%d of %d, %d of them for memory)", share*100, t.failed, t.count, t.memory),
	}
	for f, list := range r.executions[apply] {
		for _, x := range list {
			if x.failed != "" {
				row.Value += fmt.Sprintf("; the first of %s: %.120s", workload[f].name(), x.failed)
				return row
			}
		}
	}
	return row
}

// slowdowns looks at the functions one by one, at one of their durations: a
// mixture's p95 is that of its slowest functions.
func (r result) slowdowns(name string, of func(totals) time.Duration) suite.Row {
	type slower struct {
		name  string
		times float64
	}
	var all []slower
	for f, e := range workload {
		without, with := of(sum(r.executions[off][f])), of(sum(r.executions[apply][f]))
		if without > 0 && with > 0 {
			all = append(all, slower{e.name(), float64(with) / float64(without)})
		}
	}
	figure := "replay: " + name + ", function by function"
	if len(all) == 0 {
		return suite.Told(figure, "nothing was measured")
	}
	slices.SortFunc(all, func(a, b slower) int { return cmp.Compare(a.times, b.times) })
	logs := 0.
	for _, s := range all {
		logs += math.Log(s.times)
	}
	worst := all[len(all)-1]
	return suite.Told(figure, "median %.2f×, geometric mean %.2f×, worst %.2f× (%s)",
		all[len(all)/2].times, math.Exp(logs/float64(len(all))), worst.times, worst.name)
}

// eachRow tells of one function.
func eachRow(e entry, without, with []execution) suite.Row {
	a, b := sum(without), sum(with)
	peak, last := 0, e.asked
	for _, x := range with {
		peak, last = max(peak, x.maximum), x.amount
	}
	return suite.Told(fmt.Sprintf("%s (%s)", e.name(), e.shape.name), "%d → %d MB, peak %d; GB-s %+.0f%%, p50 %.2f×, p95 %.2f×, failed %d of %d",
		e.asked, last, peak, (b.gbSeconds/a.gbSeconds-1)*100, float64(b.p50)/float64(a.p50), float64(b.p95)/float64(a.p95), b.failed, b.count)
}
