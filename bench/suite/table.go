package suite

import (
	"fmt"
	"io"
	"time"
)

// Row is one line of the table.
type Row struct {
	Figure string
	// Target in words; empty for a figure that is only told.
	Target string
	Value  string
	Met    bool
}

type table struct{ out io.Writer }

const layout = "%-60s  %-11s  %-6s  %-60s  %s\n"

func (t table) head(machine string) {
	fmt.Fprintf(t.out, "%s\n\n", machine)
	fmt.Fprintf(t.out, layout, "FIGURE", "TARGET", "", "MEASURED", "REPEAT WITH")
}

func (t table) row(r Row, repeat string) {
	verdict := ""
	if r.Target != "" {
		verdict = "missed"
		if r.Met {
			verdict = "met"
		}
	}
	fmt.Fprintf(t.out, layout, r.Figure, r.Target, verdict, r.Value, repeat)
}

// AtMost is a row about a ratio that should not be above limit; how tells
// where it comes from.
func AtMost(figure string, ratio, limit float64, how string) Row {
	return Row{Figure: figure, Target: fmt.Sprintf("≤ %.2f×", limit), Value: fmt.Sprintf("%.2f×  %s", ratio, how), Met: ratio <= limit}
}

// AtLeast is the other way round.
func AtLeast(figure string, ratio, limit float64, how string) Row {
	return Row{Figure: figure, Target: fmt.Sprintf("≥ %.2f×", limit), Value: fmt.Sprintf("%.2f×  %s", ratio, how), Met: ratio >= limit}
}

// None is a row about something that should not happen at all; how tells what
// it is counted among.
func None(figure string, count int, how string) Row {
	return Row{Figure: figure, Target: "0", Value: fmt.Sprintf("%d  %s", count, how), Met: count == 0}
}

// Told is a row without a target.
func Told(figure, format string, args ...any) Row {
	return Row{Figure: figure, Value: fmt.Sprintf(format, args...)}
}

// MS shows a duration the way all rows do.
func MS(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.3f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
}

// Versus is "A : B", what a ratio is the ratio of.
func Versus(a, b time.Duration) string { return fmt.Sprintf("(%s : %s)", MS(a), MS(b)) }
