package evidence_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hearthd/hearth/internal/rollout/evidence"
)

var table = flag.String("table", "", "file in which to replace the table of error rates, docs/rollouts.md; takes some minutes")

const alpha = 0.01

// world is where requests come from: the rates of both versions at a time.
type world struct {
	name     string
	share    float64
	margin   float64
	old, new func(request int) float64
}

func steady(p float64) func(int) float64 { return func(int) float64 { return p } }

// day swings between 0 and 30% in the course of some thousand requests.
func day(i int) float64 { return 0.15 + 0.15*math.Sin(float64(i)/700) }

// outage is a rate of 0.1%, and in every tenth block of 500 requests one of 80%.
func outage(i int) float64 {
	if i/500%10 == 9 {
		return 0.8
	}
	return 0.001
}

// harmless are worlds in which the new version is as good as the old one, or
// exactly as bad as is tolerated: an alarm is false.
func harmless() []world {
	var all []world
	for _, share := range []float64{0.01, 0.1, 0.5, 0.9} {
		for _, p := range []float64{0, 0.001, 0.05, 0.3} {
			all = append(all, world{fmt.Sprintf("both %g%%, no margin", p*100), share, 0, steady(p), steady(p)})
			all = append(all, world{fmt.Sprintf("%g%%, new %g%%", p*100, p*100+1), share, 0.01, steady(p), steady(p + 0.01)})
		}
		all = append(all, world{"both swing between 0 and 30%", share, 0, day, day})
		all = append(all, world{"both 0.1%, outages of 80%", share, 0, outage, outage})
	}
	return all
}

// harmful are worlds with a bad new version; the margin is the default's.
func harmful() []world {
	var all []world
	for _, share := range []float64{0.01, 0.1, 0.5} {
		for _, rates := range [][2]float64{{0.001, 1}, {0.001, 0.5}, {0.001, 0.1}, {0.001, 0.05}, {0.05, 0.5}, {0.05, 0.15}} {
			all = append(all, world{fmt.Sprintf("%g%%, new %g%%", rates[0]*100, rates[1]*100), share, 0.01, steady(rates[0]), steady(rates[1])})
		}
	}
	return all
}

// run sends requests until the test alarms and returns how many hits the new
// version had until then, and whether there was an alarm at all. The test is
// looked at after every request.
func (w world) run(rnd *rand.Rand, requests int) (hits int, alarm bool) {
	t := evidence.NewTest(w.margin)
	for i := range requests {
		if rnd.Float64() < w.share {
			t.New(rnd.Float64() < w.new(i), w.share)
			if t.Evidence() >= 1/alpha {
				return t.NewTotal.Hits, true
			}
		} else {
			t.Old(rnd.Float64() < w.old(i), w.share)
			if t.Evidence() >= 1/alpha {
				return t.NewTotal.Hits, true
			}
		}
	}
	return 0, false
}

// falseAlarms is how many of some roll-outs raise one.
func (w world) falseAlarms(seed uint64, rollouts, requests int) int {
	n := 0
	for i := range rollouts {
		if _, alarm := w.run(rand.New(rand.NewPCG(seed, uint64(i))), requests); alarm {
			n++
		}
	}
	return n
}

// The test alarms at a harmless version with a probability of at most alpha,
// though it is looked at after each of thousands of requests.
func TestFalseAlarms(t *testing.T) {
	t.Parallel()
	const rollouts, requests = 100, 2000
	for i, w := range harmless() {
		n := w.falseAlarms(uint64(i), rollouts, requests)
		// More than this would be seen once in 100,000 times if alpha held.
		if limit := binomialLimit(rollouts, alpha, 1e-5); n > limit {
			t.Errorf("%s, %g%% of the requests: %d false alarms of %d, at most %d are due to chance", w.name, w.share*100, n, rollouts, limit)
		}
	}
}

// A bad version is found out, after few failures where it is very bad.
func TestPower(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		share, old, new float64
		median          int // hits of the new version until the alarm, at most
	}{
		{0.01, 0.001, 1, 2}, {0.01, 0.001, 0.5, 3}, {0.1, 0.001, 1, 4}, {0.1, 0.001, 0.5, 5}, {0.5, 0.001, 1, 12}, {0.1, 0.05, 0.5, 12},
	} {
		w := world{share: test.share, margin: 0.01, old: steady(test.old), new: steady(test.new)}
		var hits []int
		for i := range 100 {
			n, alarm := w.run(rand.New(rand.NewPCG(7, uint64(i))), 20000)
			if !alarm {
				t.Fatalf("%+v: no alarm", test)
			}
			hits = append(hits, n)
		}
		slices.Sort(hits)
		if hits[len(hits)/2] > test.median {
			t.Errorf("%+v: %d failures in the median", test, hits[len(hits)/2])
		}
	}
}

// A bake alarms at a version within the limit with a probability of at most
// alpha, and finds out one that is not.
func TestBake(t *testing.T) {
	t.Parallel()
	const rollouts = 500
	alarms := func(limit, rate float64) (n int) {
		for i := range rollouts {
			rnd := rand.New(rand.NewPCG(3, uint64(i)))
			b := evidence.NewBake(limit)
			for range 2000 {
				b.Add(rnd.Float64() < rate)
				if b.Evidence() >= 1/alpha {
					n++
					break
				}
			}
		}
		return n
	}
	for _, rate := range []float64{0.001, 0.02, 0.3} {
		if n, limit := alarms(rate, rate), binomialLimit(rollouts, alpha, 1e-5); n > limit {
			t.Errorf("rate %g within the limit: %d false alarms of %d", rate, n, rollouts)
		}
	}
	if n := alarms(0.02, 0.2); n < rollouts {
		t.Errorf("ten times the limit: %d alarms of %d", n, rollouts)
	}
}

// The upper bound is below the rate no more often than it may be.
func TestUpper(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(5, 5))
	const tries, miss = 2000, 0.01
	for _, c := range []struct {
		n int
		p float64
	}{{1, 0.5}, {30, 0.01}, {1000, 0.001}, {1000, 0.3}} {
		low := 0
		for range tries {
			seen := evidence.Counts{N: c.n}
			for range c.n {
				if rnd.Float64() < c.p {
					seen.Hits++
				}
			}
			if evidence.Upper(seen, miss) < c.p {
				low++
			}
		}
		if low > binomialLimit(tries, miss, 1e-5) {
			t.Errorf("%+v: too low %d times of %d", c, low, tries)
		}
	}
	if got := evidence.Upper(evidence.Counts{}, 0.01); got != 1 {
		t.Errorf("of nothing: %g", got)
	}
}

// Quantiles are at most 6% too high, and never too low.
func TestQuantiles(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	var q evidence.Quantiles
	var all []int64
	for range 5000 {
		v := int64(math.Exp(rnd.NormFloat64()*3 + 12))
		all = append(all, v)
		q.Add(v)
	}
	slices.Sort(all)
	for _, p := range []float64{0.01, 0.5, 0.99, 1} {
		want := all[max(0, int(math.Ceil(p*5000))-1)]
		if got := q.At(p); got < want || float64(got) > float64(want)*1.07+1 {
			t.Errorf("quantile %g is %d, want %d", p, got, want)
		}
	}
}

// binomialLimit is the smallest number that more than which of n tries with
// probability p happen with a probability below miss.
func binomialLimit(n int, p, miss float64) int {
	logFactorial := func(k int) float64 { v, _ := math.Lgamma(float64(k) + 1); return v }
	tail := 1.0
	for k := 0; ; k++ {
		tail -= math.Exp(logFactorial(n) - logFactorial(k) - logFactorial(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log(1-p))
		if tail < miss {
			return k
		}
	}
}

// With -table=FILE the table of error rates in the documentation is made anew.
func TestTable(t *testing.T) {
	if *table == "" {
		t.Skip("only with -table")
	}
	const rollouts, requests = 2000, 20000
	var b strings.Builder
	fmt.Fprintf(&b, "False alarms at α = %g%% for one guard, %d roll-outs of %d requests each, looked at after every request:\n\n", alpha*100, rollouts, requests)
	b.WriteString("| rates | " + "1% canary | 10% canary | 50% | 90% |\n|---|---|---|---|---|\n")
	cells := map[string][]string{}
	var order []string
	for i, w := range harmless() {
		if cells[w.name] == nil {
			order = append(order, w.name)
		}
		cells[w.name] = append(cells[w.name], fmt.Sprintf("%.2f%%", float64(w.falseAlarms(uint64(1000+i), rollouts, requests))/rollouts*100))
	}
	for _, name := range order {
		b.WriteString("| " + name + " | " + strings.Join(cells[name], " | ") + " |\n")
	}
	fmt.Fprintf(&b, "\nFailed requests of a bad version until the alarm (median, 95%%), margin 1%%, α = %g%%:\n\n| rates | 1%% canary | 10%% canary | 50%% |\n|---|---|---|---|\n", alpha*100)
	cells, order = map[string][]string{}, nil
	for i, w := range harmful() {
		if cells[w.name] == nil {
			order = append(order, w.name)
		}
		var hits []int
		missed := 0
		for j := range 500 {
			if n, alarm := w.run(rand.New(rand.NewPCG(uint64(i), uint64(j))), 200000); alarm {
				hits = append(hits, n)
			} else {
				missed++
			}
		}
		slices.Sort(hits)
		cell := fmt.Sprintf("%d, %d", hits[len(hits)/2], hits[len(hits)*95/100])
		if missed > 0 {
			cell += fmt.Sprintf(" (%d of 500 not found in 200,000 requests)", missed)
		}
		cells[w.name] = append(cells[w.name], cell)
	}
	for _, name := range order {
		b.WriteString("| " + name + " | " + strings.Join(cells[name], " | ") + " |\n")
	}
	page, err := os.ReadFile(*table)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), "<!-- error rates -->\n")
	_, after, end := strings.Cut(rest, "<!-- /error rates -->")
	if !ok || !end {
		t.Fatalf("%s has no marks for the table", *table)
	}
	if err := os.WriteFile(*table, []byte(before+"<!-- error rates -->\n"+b.String()+"<!-- /error rates -->"+after), 0o644); err != nil { //nolint:gosec // a page of the documentation
		t.Fatal(err)
	}
}
