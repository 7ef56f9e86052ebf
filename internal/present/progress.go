package present

import (
	"fmt"
	"io"
	"time"
)

// redrawEvery is how often the line of a step that goes on is drawn anew.
const redrawEvery = 100 * time.Millisecond

// Progress shows what is being done: on a terminal one line that changes and
// says for how long, elsewhere a line for each step.
type Progress struct {
	w        io.Writer
	terminal bool
	steps    chan string
	done     chan struct{} // closed when the drawing goroutine has ended
}

// NewProgress begins to show progress on w, usually the standard error. Stop
// it before anything else is printed there.
func NewProgress(w io.Writer) *Progress {
	p := &Progress{w: w, terminal: isTerminal(w), steps: make(chan string), done: make(chan struct{})}
	go p.draw()
	return p
}

// Step says what is being done now. The same step twice is one.
func (p *Progress) Step(what string) { p.steps <- what }

// Stop removes the line.
func (p *Progress) Stop() {
	close(p.steps)
	<-p.done
}

func (p *Progress) draw() {
	defer close(p.done)
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	const clear = "\r\x1b[K"
	frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	step, begin := "", time.Now()
	for frame := 0; ; frame++ {
		select {
		case next, ok := <-p.steps:
			switch {
			case !ok:
				if p.terminal {
					fmt.Fprint(p.w, clear)
				}
				return
			case next == step:
				continue
			case !p.terminal:
				fmt.Fprintln(p.w, next)
			}
			step = next
		case <-tick.C:
		}
		if p.terminal && step != "" {
			fmt.Fprintf(p.w, "%s%c %s %s%.1fs%s", clear, frames[frame%len(frames)], step, dim, time.Since(begin).Seconds(), reset)
		}
	}
}
