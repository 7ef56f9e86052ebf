package suite

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	var b bytes.Buffer
	tb := table{out: &b}
	tb.head("a machine")
	tb.row(AtMost("slow", 2, 1.5, Versus(2*time.Millisecond, time.Millisecond)), "make slow")
	tb.row(AtLeast("fast", 0.7, .6, "(7/s : 10/s)"), "make fast")
	tb.row(None("failed", 3, "of 7"), "make failures")
	tb.row(Told("said", "%d", 1), "make speech")
	for _, want := range []string{"a machine\n", "≤ 1.50×      missed  2.00×  (2.000 ms : 1.000 ms)", "0            missed  3  of 7", "make speech\n", "≥ 0.60×      met     0.70×  (7/s : 10/s)"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
