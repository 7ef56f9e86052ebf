package main

import (
	"fmt"
	"io"
	"time"
)

// row is one line of the table.
type row struct {
	figure string
	// target in words; empty for a figure that is only told.
	target string
	value  string
	met    bool
	repeat string
}

type table struct{ out io.Writer }

const layout = "%-54s  %-9s  %-7s  %-60s  %s\n"

func (t table) head(machine string) {
	fmt.Fprintf(t.out, "%s\n\n", machine)
	fmt.Fprintf(t.out, layout, "FIGURE", "TARGET", "", "MEASURED", "REPEAT WITH")
}

func (t table) row(r row) {
	verdict := ""
	if r.target != "" {
		verdict = "missed"
		if r.met {
			verdict = "met"
		}
	}
	fmt.Fprintf(t.out, layout, r.figure, r.target, verdict, r.value, r.repeat)
}

// atMost is a row about a ratio that should not be above limit; how tells
// where it comes from.
func atMost(figure string, ratio, limit float64, how string) row {
	return row{figure: figure, target: fmt.Sprintf("≤ %.2f×", limit), value: fmt.Sprintf("%.2f×  %s", ratio, how), met: ratio <= limit}
}

// atLeast is the other way round.
func atLeast(figure string, ratio, limit float64, how string) row {
	return row{figure: figure, target: fmt.Sprintf("≥ %.2f×", limit), value: fmt.Sprintf("%.2f×  %s", ratio, how), met: ratio >= limit}
}

// told is a row without a target.
func told(figure, format string, args ...any) row {
	return row{figure: figure, value: fmt.Sprintf(format, args...)}
}

// ms shows a duration the way all rows do.
func ms(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.3f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
}

// versus is "A : B", what a ratio is the ratio of.
func versus(a, b time.Duration) string { return fmt.Sprintf("(%s : %s)", ms(a), ms(b)) }
