package main

import (
	"testing"
	"time"

	"github.com/hearthd/hearth/bench/load"
)

// sample is an answer by a release, 5 ms after it was due unless said otherwise.
func sample(due int, release int, change ...func(*load.Answer)) load.Answer {
	a := load.Answer{Due: ms(due), Took: ms(5), Mark: uint64(release) * releaseUnit}
	for _, f := range change {
		f(&a)
	}
	return a
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

var twoUpdates = outcome{
	rate: 100,
	windows: []window{
		{from: ms(100), acknowledged: ms(110), done: ms(150), to: ms(300), quiet: ms(400), release: 2},
		{from: ms(1000), acknowledged: ms(1010), done: ms(1200), to: ms(1500), quiet: ms(1600), release: 3},
	},
	answers: []load.Answer{
		sample(50, 1),
		sample(100, 1),
		sample(140, 2),
		sample(145, 1, func(a *load.Answer) { a.Took = ms(400) }), // sent before it was done
		sample(149, 1, func(a *load.Answer) { a.Late = ms(2) }),   // sent after: outdated
		sample(299, 2, func(a *load.Answer) { a.Mark |= waitedBit }),
		sample(300, 2),
		sample(400, 2),
		sample(1150, 2),
		sample(1190, 0, func(a *load.Answer) { a.Failed = true }),
		sample(1250, 3),
	},
}

func TestAnswersAreCountedToTheWindowTheyWereDueIn(t *testing.T) {
	during, behind, quiet := twoUpdates.parts()
	if len(during) != 8 || len(behind) != 1 || len(quiet) != 2 {
		t.Errorf("%d during, %d behind, %d quiet", len(during), len(behind), len(quiet))
	}
	if s := twoUpdates.switching(); len(s) != 7 {
		t.Errorf("%d until done: %+v", len(s), s)
	}
	c := count(twoUpdates.answers)
	if c.requests != 11 || c.failed != 1 || c.waited != 1 || c.p99 != ms(400) {
		t.Errorf("count is %+v", c)
	}
}

func TestAnswersAreWrongOnceTheUpdateIsDone(t *testing.T) {
	if n := twoUpdates.wrong(); n != 1 {
		t.Errorf("%d wrong answers", n)
	}
	rolledBack := outcome{
		windows: []window{{from: ms(100), done: ms(200), to: ms(300), quiet: ms(350), release: 1}, {from: ms(400), done: ms(500), to: ms(600), quiet: ms(700), release: 3}},
		answers: []load.Answer{
			sample(150, 2), // while it was tried
			sample(250, 2), // after it was rolled back: wrong
			sample(350, 1),
			sample(450, 3),
			sample(550, 1), // wrong
			sample(650, 3),
		},
	}
	if n := rolledBack.wrong(); n != 2 {
		t.Errorf("%d wrong answers around a roll-back", n)
	}
}

func TestBrokenReleasesAreNoFailures(t *testing.T) {
	m, err := judge(&load.Conn{FunctionError: true, Body: []byte(`{"errorMessage": "broken release [3]", "errorType": "RuntimeError"}`)}, 200, time.Now())
	if err != nil || !mark(m).broken() || mark(m).waited() || mark(m).release() != 3 {
		t.Errorf("%d, %v", m, err)
	}
	if _, err := judge(&load.Conn{FunctionError: true, Body: []byte(`{"errorMessage": "no"}`)}, 200, time.Now()); err == nil {
		t.Error("another error is taken for an answer")
	}
	m, err = judge(&load.Conn{Body: []byte("[5, 1]")}, 200, time.Now())
	if err != nil || mark(m).release() != 5 || mark(m).waited() || mark(m).broken() {
		t.Errorf("%d, %v", m, err)
	}
}

func TestFirstAnswers(t *testing.T) {
	first := twoUpdates.firstAnswers()
	if len(first) != 2 || first[0] != ms(35) || first[1] != ms(245) {
		t.Errorf("first answers after %v", first)
	}
	if d := twoUpdates.durations(); len(d) != 2 || d[0] != ms(50) || d[1] != ms(200) {
		t.Errorf("durations %v", d)
	}
}

func TestParse(t *testing.T) {
	for body, want := range map[string][3]int64{
		"[7, 1764280000000000001]": {7, 1764280000000000001, 1},
		"[7,2]":                    {7, 2, 1},
		"":                         {},
		"[7]":                      {},
		`{"errorMessage": "no"}`:   {},
		"[a, 2]":                   {},
	} {
		release, ready, ok := parse([]byte(body))
		if ok != (want[2] == 1) || ok && (release != want[0] || ready != want[1]) {
			t.Errorf("%q is %d, %d, %t", body, release, ready, ok)
		}
	}
	if n := testing.AllocsPerRun(100, func() { parse([]byte("[7, 1764280000000000001]")) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
