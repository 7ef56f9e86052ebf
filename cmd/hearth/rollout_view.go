package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/present"
	"github.com/hearthd/hearth/internal/rollout"
)

// shownEvents are how many of a roll-out's events the live view has room for.
const shownEvents = 8

// watchRollout shows a roll-out until it has ended: on a terminal as a view that
// changes, elsewhere as a line for each event. It fails unless the roll-out
// succeeds.
func (a *app) watchRollout(ctx context.Context, c *client.Client, id string) error {
	p := a.printer()
	show := lines(p)
	if p.Terminal && !p.JSON {
		show = live(p)
	}
	var last *rollout.Rollout
	err := c.WatchRollout(ctx, id, func(r *rollout.Rollout) error {
		last = r
		return show(r)
	})
	switch {
	case err != nil:
		return err
	case last == nil || !last.State.Ended():
		return errors.New("the node ended the view before the roll-out had ended: it has probably stopped, and goes on with it when it starts again")
	case last.State != rollout.Succeeded:
		return fmt.Errorf("roll-out %s was %s: %s", id, last.State, last.Reason)
	}
	return nil
}

// live draws the roll-out over its former self.
func live(p *present.Printer) func(*rollout.Rollout) error {
	screen := present.NewScreen(p)
	return func(r *rollout.Rollout) error {
		return screen.Draw(func(p *present.Printer) error {
			shown := *r
			shown.Events = r.Events[max(0, len(r.Events)-shownEvents):]
			return printRollout(p, &shown, time.Now())
		})
	}
}

// lines prints the events that are new since the last time, or the whole
// roll-out for programs.
func lines(p *present.Printer) func(*rollout.Rollout) error {
	seen := 0
	return func(r *rollout.Rollout) error {
		if p.JSON {
			return p.Line(r)
		}
		for _, e := range r.Events {
			if e.N <= seen {
				continue
			}
			seen = e.N
			if err := printEvent(p, e); err != nil {
				return err
			}
		}
		return nil
	}
}

// printRollout prints all there is to know.
func printRollout(p *present.Printer, r *rollout.Rollout, now time.Time) error {
	if err := p.Printf("%s  alias %s, version %s → %s, %s\n", p.Bold(r.ID), r.Alias, r.From, r.To, r.Strategy); err != nil {
		return err
	}
	if err := p.Printf("%s %s%s\n\n", present.Bar(r.Percent/100, 25), percentage(r.Percent), situation(r, now)); err != nil {
		return err
	}
	if len(r.Guards) > 0 {
		rows := [][]string{}
		for _, g := range r.Guards {
			rows = append(rows, []string{
				string(g.Metric), counted(g.Old.Hits, g.Old.N), counted(g.New.Hits, g.New.N), limit(g),
				fmt.Sprintf("%.3g of %.3g", g.Evidence, g.AlarmAt),
			})
		}
		if err := p.Table([]string{"GUARD", ">VERSION " + r.From, ">VERSION " + r.To, "TOLERATED", ">EVIDENCE"}, rows); err != nil {
			return err
		}
		if err := p.Printf("\n"); err != nil {
			return err
		}
	}
	for _, e := range r.Events {
		if err := printEvent(p, e); err != nil {
			return err
		}
	}
	return nil
}

// situation says where the roll-out is.
func situation(r *rollout.Rollout, now time.Time) string {
	s := "  " + string(r.State)
	switch r.State {
	case rollout.Stepping, rollout.Paused:
		s += fmt.Sprintf(", step %d of %d", r.Step+1, len(r.Steps))
	}
	switch {
	case r.State == rollout.Paused:
		s += fmt.Sprintf(", %s left", (time.Duration(r.RemainingSeconds) * time.Second).Round(time.Second))
	case r.StepEnds != nil && !r.State.Ended():
		s += fmt.Sprintf(", %s left", max(0, r.StepEnds.Sub(now).Round(time.Second)))
	case r.State == rollout.Stepping:
		s += ", environments are being prepared"
	}
	return s
}

func counted(hits, n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%s of %s (%.2g%%)", present.Count(int64(hits)), present.Count(int64(n)), float64(hits)/float64(n)*100)
}

// limit says what a guard tolerates.
func limit(g rollout.GuardStatus) string {
	margin := fmt.Sprintf("+%.3g%%", g.Margin*100)
	switch {
	case g.Ratio == 0:
		return margin
	case g.Threshold == 0:
		return fmt.Sprintf("%s above %gx, not known yet", margin, g.Ratio)
	case g.Metric == rollout.Memory:
		return margin + " above " + present.Bytes(int64(g.Threshold))
	}
	return fmt.Sprintf("%s above %.4g ms", margin, g.Threshold)
}

func printEvent(p *present.Printer, e rollout.Event) error {
	return p.Printf("%s  %-12s  %s\n", p.Dim(e.Time.UTC().Format("15:04:05")), e.State, e.Message)
}
