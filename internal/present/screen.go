package present

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// Screen is some lines of a terminal that are drawn anew again and again.
type Screen struct {
	p     *Printer
	lines int // drawn last
}

// NewScreen returns a screen of a printer to a terminal. Nothing else may be
// printed there until the last drawing.
func NewScreen(p *Printer) *Screen { return &Screen{p: p} }

// Draw replaces what was drawn before by what draw prints to its printer.
func (s *Screen) Draw(draw func(*Printer) error) error {
	var b bytes.Buffer
	if err := draw(&Printer{Terminal: s.p.Terminal, w: &b}); err != nil {
		return err
	}
	width, height := size(s.p)
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	lines = lines[:min(len(lines), height-1)]
	var out strings.Builder
	if s.lines > 0 {
		fmt.Fprintf(&out, "\x1b[%dA\r\x1b[J", s.lines)
	}
	for _, line := range lines {
		out.WriteString(clip(line, width) + "\n")
	}
	s.lines = len(lines)
	return s.p.Printf("%s", out.String())
}

func size(p *Printer) (width, height int) {
	if f, ok := p.w.(*os.File); ok {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 0 && h > 1 {
			return w, h
		}
	}
	return 80, 24
}

// clip shortens a line to what fits, not counting what changes colours.
func clip(line string, width int) string {
	var b strings.Builder
	shown, escaped := 0, false
	for _, r := range line {
		switch {
		case r == '\x1b':
			escaped = true
		case escaped:
			escaped = r != 'm'
		case shown == width:
			continue
		default:
			shown++
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Bar draws a part of a whole, 0 to 1, with so many characters.
func Bar(part float64, width int) string {
	full := int(min(max(part, 0), 1)*float64(width) + 0.5)
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}
