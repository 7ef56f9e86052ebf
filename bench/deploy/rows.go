package main

import (
	"fmt"
	"time"

	"github.com/hearthd/hearth/bench/load"
	"github.com/hearthd/hearth/bench/suite"
)

// worst is how much higher the p99 may be while something changes.
const worst = 1.25

// tally counts what a trial's answers have in common.
type tally struct {
	requests, failed, waited, broken int

	p50, p99 time.Duration
}

func count(answers []load.Answer) (t tally) {
	for _, a := range answers {
		t.requests++
		switch {
		case a.Failed:
			t.failed++
		case mark(a.Mark).broken():
			t.broken++
		case mark(a.Mark).waited():
			t.waited++
		}
	}
	t.p50, t.p99 = percentile(answers, .5, took), percentile(answers, .99, took)
	return t
}

// rows are what a trial under serve-previous should show.
func (o outcome) rows(name, changes string) []suite.Row {
	switching := count(o.switching())
	_, b, _ := o.parts()
	behind := count(b)
	changesTook, first := o.durations(), o.firstAnswers()
	same := name + ": "
	return append(o.promises(name, changes),
		suite.Told(same+"p50, p99 until it was done only", "%s, %s  (%d samples)", suite.MS(switching.p50), suite.MS(switching.p99), switching.requests),
		suite.Told(same+"p50, p99 while the node provides for the next", "%s, %s  (%d samples)", suite.MS(behind.p50), suite.MS(behind.p99), behind.requests),
		suite.Told(same+"how long they took: p50, p99", "%s, %s", suite.MS(load.Percentile(changesTook, .5)), suite.MS(load.Percentile(changesTook, .99))),
		suite.Told(same+"acknowledged → first new answer", "p50 %s, p99 %s", suite.MS(load.Percentile(first, .5)), suite.MS(load.Percentile(first, .99))),
		suite.Told(same+"requests sent late, p99; processors busy", "%s; %.0f%% of the time", suite.MS(percentile(o.answers, .99, late)), o.busy*100),
	)
}

// promises are the rows about what no caller shall notice.
func (o outcome) promises(name, changes string) []suite.Row {
	all := count(o.answers)
	d, _, q := o.parts()
	during, quiet := count(d), count(q)
	failed := suite.None(fmt.Sprintf("%s, %d %s: failed requests", name, len(o.windows), changes), all.failed,
		fmt.Sprintf("of %d at %.0f/s", all.requests, o.rate))
	if o.failure != nil {
		failed.Value += fmt.Sprintf(", the first: %v", o.failure)
	}
	same := name + ": "
	return []suite.Row{
		failed,
		suite.None(same+"requests that waited for an init", all.waited, fmt.Sprintf("of %d", all.requests)),
		suite.None(same+"answers by the wrong code once it was done", o.wrong(), fmt.Sprintf("of %d", all.requests)),
		suite.AtMost(same+"p99 during to p99 without", ratio(during.p99, quiet.p99), worst,
			fmt.Sprintf("%s, %d : %d samples", suite.Versus(during.p99, quiet.p99), during.requests, quiet.requests)),
		suite.Told(same+"p50 during to p50 without", "%.2f×  %s", ratio(during.p50, quiet.p50), suite.Versus(during.p50, quiet.p50)),
	}
}

// strictRow shows what the same is without the mechanism.
func (o outcome) strictRow(name string) suite.Row {
	all := count(o.answers)
	d, _, q := o.parts()
	during, quiet := count(d), count(q)
	return suite.Told(fmt.Sprintf("%s, strict, %d changes: the same", name, len(o.windows)),
		"failed %d, waited for init %d of %d, wrong %d, p99 %.1f×  %s", all.failed, all.waited, all.requests, o.wrong(),
		ratio(during.p99, quiet.p99), suite.Versus(during.p99, quiet.p99))
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }
