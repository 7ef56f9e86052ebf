package present

import (
	"bytes"
	"strings"
	"testing"
)

// A screen replaces what it drew before, and lines do not run over.
func TestScreen(t *testing.T) {
	var b bytes.Buffer
	s := NewScreen(&Printer{Terminal: true, w: &b})
	draw := func(text string) string {
		b.Reset()
		if err := s.Draw(func(p *Printer) error { return p.Printf("%s", text) }); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if got := draw("one\ntwo\n"); got != "one\ntwo\n" {
		t.Errorf("first %q", got)
	}
	long := "\x1b[1m" + strings.Repeat("ü", 100) + "\x1b[0m"
	if got, want := draw(long), "\x1b[2A\r\x1b[J\x1b[1m"+strings.Repeat("ü", 80)+"\x1b[0m\n"; got != want {
		t.Errorf("then %q, want %q", got, want)
	}
	if got := draw(strings.Repeat("x\n", 50)); strings.Count(got, "x") != 23 {
		t.Errorf("%d lines on a screen of 24", strings.Count(got, "x"))
	}
}

func TestBar(t *testing.T) {
	for part, want := range map[float64]string{-1: "░░░░", 0: "░░░░", 0.5: "██░░", 1: "████", 2: "████"} {
		if got := Bar(part, 4); got != want {
			t.Errorf("%g: %s, want %s", part, got, want)
		}
	}
}
