package present

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Printer writes the results of one command.
type Printer struct {
	// Terminal is true when a person looks at it.
	Terminal bool
	// JSON is true when a program asked for it.
	JSON bool

	w io.Writer
}

// New returns a printer to w.
func New(w io.Writer, asJSON bool) *Printer {
	return &Printer{Terminal: isTerminal(w), JSON: asJSON, w: w}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// Value prints v as JSON when that was asked for; otherwise text, which prints
// to the same printer.
func (p *Printer) Value(v any, text func() error) error {
	if !p.JSON {
		return text()
	}
	e := json.NewEncoder(p.w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// Line prints v as one line of JSON.
func (p *Printer) Line(v any) error {
	e := json.NewEncoder(p.w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// Printf prints text for people.
func (p *Printer) Printf(format string, args ...any) error {
	_, err := fmt.Fprintf(p.w, format, args...)
	return err
}

// Write makes it a writer of what needs no presentation.
func (p *Printer) Write(b []byte) (int, error) { return p.w.Write(b) }

// Table prints rows under their headings; no rows, nothing but the headings. A
// heading that begins with ">" is of a column aligned to the right.
func (p *Printer) Table(headings []string, rows [][]string) error {
	names, right := make([]string, len(headings)), make([]bool, len(headings))
	for i, h := range headings {
		names[i], right[i] = strings.CutPrefix(h, ">")
	}
	var b strings.Builder
	if !p.Terminal {
		for _, row := range append([][]string{names}, rows...) {
			b.WriteString(strings.Join(clean(row), "\t"))
			b.WriteByte('\n')
		}
		_, err := io.WriteString(p.w, b.String())
		return err
	}
	width := make([]int, len(names))
	for _, row := range append([][]string{names}, rows...) {
		for i, cell := range clean(row) {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	b.WriteString(bold)
	align(&b, names, width, right)
	b.WriteString(reset + "\n")
	for _, row := range rows {
		align(&b, clean(row), width, right)
		b.WriteByte('\n')
	}
	_, err := io.WriteString(p.w, b.String())
	return err
}

// align writes one row of a table, with two spaces between columns.
func align(b *strings.Builder, row []string, width []int, right []bool) {
	for i, cell := range row {
		pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
		switch {
		case right[i]:
			b.WriteString(pad + cell)
		case i == len(row)-1:
			b.WriteString(cell)
		default:
			b.WriteString(cell + pad)
		}
		if i < len(row)-1 {
			b.WriteString("  ")
		}
	}
}

// clean makes cells of one line each, without anything a terminal would obey.
func clean(row []string) []string {
	out := make([]string, len(row))
	for i, cell := range row {
		out[i] = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 {
				return ' '
			}
			return r
		}, cell)
	}
	return out
}

const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	reset = "\x1b[0m"
)

// Dim returns text for the background, on a terminal.
func (p *Printer) Dim(s string) string {
	if !p.Terminal {
		return s
	}
	return dim + s + reset
}

// Bold returns text for the foreground, on a terminal.
func (p *Printer) Bold(s string) string {
	if !p.Terminal {
		return s
	}
	return bold + s + reset
}
