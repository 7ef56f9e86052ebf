package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/dev"
	"github.com/hearthd/hearth/internal/present"
	"github.com/hearthd/hearth/internal/project"
)

func newDev(a *app) *cobra.Command {
	var (
		d     deployment
		event string
	)
	cmd := &cobra.Command{
		Use:   "dev DIR",
		Short: "Serve a directory: what is saved in it is live at once",
		Long: `Serve a directory as a function, as "hearth deploy" does, and go on: whenever a
file is saved the new code is initialised in a second environment, and requests
go to it as soon as it is ready. Code that does not initialise is reported, and
the last revision that works goes on. The function's log is printed as it comes.`,
		Example:           "  hearth dev ./hello\n  hearth dev . --event '{\"name\": \"world\"}'",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeDirectory,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := project.Open(directory(args), d.hints)
			if err != nil {
				return err
			}
			d.Name = cmp.Or(d.Name, p.Name())
			s := dev.Session{Dir: p.Dir, Function: d.Name}
			if cmd.Flags().Changed("event") {
				if s.Event, err = readPayload(event, a.stdin); err != nil {
					return err
				}
			}
			return a.dev(cmd.Context(), s, d)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	d.flags(f)
	f.StringVar(&event, "event", "", "invoke the function after every change with this event: JSON, @FILE, or - for the standard input")
	return cmd
}

func (a *app) dev(ctx context.Context, s dev.Session, d deployment) error {
	c, err := a.client(ctx)
	if err != nil {
		return err
	}
	s.Node = c
	s.Deploy = func(ctx context.Context) (*client.Deployed, error) {
		p, err := project.Open(s.Dir, d.hints) // what it is in may have changed
		if err != nil {
			return nil, err
		}
		return deploy(ctx, c, p, d, func(string) {})
	}
	var printing sync.Mutex
	out := a.printer()
	s.Tell = func(r dev.Report) {
		printing.Lock()
		defer printing.Unlock()
		if out.JSON {
			_ = out.Line(lineOf(r))
			return
		}
		_ = printReport(out, s, r)
	}
	s.Log = func(e client.LogEvent) error {
		printing.Lock()
		defer printing.Unlock()
		if out.JSON {
			return out.Line(map[string]any{"log": e})
		}
		// Runtimes put a carriage return between the lines of one event.
		text := strings.ReplaceAll(strings.TrimRight(e.Message, "\r\n"), "\r", "\n  ")
		return out.Printf("%s\n", out.Dim(text))
	}
	return s.Run(ctx)
}

// printReport prints a line about a change, and what went wrong.
func printReport(out *present.Printer, s dev.Session, r dev.Report) error {
	at := r.Change.Saved.Format("15:04:05.000")
	what := strings.Join(r.Change.Files, ", ")
	switch {
	case len(r.Change.Files) > 3:
		what = strings.Join(r.Change.Files[:3], ", ") + ", ..."
	case what == "":
		what = s.Dir
	}
	var err error
	switch {
	case r.Err != nil:
		err = out.Printf("%s %s is not served\n%s\n", at, out.Bold(what), indent(reason(r.Err)))
	case r.Changed():
		err = out.Printf("%s %s is served %s\n", at, out.Bold(what), out.Dim("after "+r.Took.Round(time.Millisecond).String()))
	default:
		err = out.Printf("%s %s is served: nothing has changed\n", at, what)
	}
	if err == nil && r.Answer != nil {
		err = out.Printf("%s\n", indent(string(r.Answer.Payload)))
	}
	if err == nil && len(r.Change.Files) == 0 && r.Err == nil {
		err = out.Printf("%s\n", out.Dim("Save a file and it is live; call it with: hearth invoke "+s.Function+"; end with ctrl-c"))
	}
	return err
}

// reason is what somebody wants to know who is about to change the code again.
func reason(err error) string {
	var failed *client.FailedError
	if errors.As(err, &failed) {
		return failed.Reason
	}
	return err.Error()
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

// reportLine is a report for programs.
type reportLine struct {
	Saved time.Time `json:"saved"`
	Files []string  `json:"files,omitempty"`
	// Serves is false when the new code does not.
	Serves  bool `json:"serves"`
	Changed bool `json:"changed"`
	// Milliseconds from the save until it was served.
	Milliseconds float64         `json:"milliseconds,omitempty"`
	CodeSHA256   string          `json:"codeSha256,omitempty"`
	Error        string          `json:"error,omitempty"`
	Answer       json.RawMessage `json:"answer,omitempty"`
}

func lineOf(r dev.Report) reportLine {
	line := reportLine{Saved: r.Change.Saved, Files: r.Change.Files, Serves: r.Err == nil, Changed: r.Changed()}
	if r.Err != nil {
		line.Error = reason(r.Err)
		return line
	}
	line.Milliseconds, line.CodeSHA256 = float64(r.Took.Microseconds())/1000, r.Deployed.Function.CodeSHA256
	if r.Answer != nil {
		line.Answer, _ = json.Marshal(r.Answer.Payload)
	}
	return line
}
