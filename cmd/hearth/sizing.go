package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/present"
	"github.com/hearthd/hearth/internal/sizing"
)

func newSizing(a *app) *cobra.Command {
	var qualifier string
	cmd := &cobra.Command{
		Use:   "sizing [FUNCTION]",
		Short: "Show what functions really need, and what they are given",
		Long: `Show what functions really need, and what they are given: of all functions a
line each, of one function its use, the recommendation and why, and what was
adjusted when. Tags of a function say what may be done; see docs/sizing.md.`,
		Example:           "  hearth sizing\n  hearth sizing hello\n  hearth sizing explain hello\n  hearth sizing apply hello",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeFunction,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			p := a.printer()
			if len(args) == 0 {
				all, err := c.AllSizing(ctx)
				if err != nil {
					return err
				}
				return p.Value(all, func() error { return printAllSizing(p, all) })
			}
			r, err := c.Sizing(ctx, args[0], qualifier)
			if err != nil {
				return err
			}
			return p.Value(r, func() error { return printSizing(p, r) })
		}),
	}
	cmd.PersistentFlags().StringVar(&qualifier, "qualifier", "", "version or alias (default $LATEST)")
	explain := &cobra.Command{
		Use:               "explain FUNCTION",
		Short:             "Show how duration and cost depend on the amount",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeFunction,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			curve, err := c.ExplainSizing(ctx, args[0], qualifier)
			if err != nil {
				return err
			}
			p := a.printer()
			return p.Value(curve, func() error { return printCurve(p, curve) })
		}),
	}
	apply := &cobra.Command{
		Use:               "apply FUNCTION",
		Short:             "Let what is recommended be applied from now on (the tag hearth:sizing=apply)",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeFunction,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			if err := c.ApplySizing(ctx, args[0]); err != nil {
				return err
			}
			return a.printer().Value(map[string]string{"function": args[0], "mode": "apply"}, func() error {
				return a.printer().Printf("%s is sized automatically from now on\n", args[0])
			})
		}),
	}
	reset := &cobra.Command{
		Use:               "reset FUNCTION",
		Short:             "Forget what was learned and decided, and begin anew",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeFunction,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			if err := c.ResetSizing(ctx, args[0], qualifier); err != nil {
				return err
			}
			return a.printer().Value(map[string]string{"function": args[0]}, func() error {
				return a.printer().Printf("%s begins anew with what its owner asks for\n", args[0])
			})
		}),
	}
	cmd.AddCommand(explain, apply, reset)
	return cmd
}

func mb(n int) string { return present.Count(int64(n)) + " MB" }

func printAllSizing(p *present.Printer, all []sizing.Report) error {
	rows := [][]string{}
	for _, r := range all {
		rows = append(rows, []string{
			r.Function, r.Mode, mb(int(r.AskedMB)), mb(int(r.EffectiveMB)), fmt.Sprintf("%.0f MB", r.Use.P99MB), fmt.Sprintf("%.0f MB", r.Use.HighestMB),
			mb(int(r.RecommendedMB)), fmt.Sprintf("%.0f %%", r.Saving.Percent), fmt.Sprintf("%.0f %%", 100*r.Confidence), string(r.Cause),
		})
	}
	return p.Table([]string{"FUNCTION", "MODE", ">ASKED", ">EFFECTIVE", ">P99 USE", ">HIGHEST", ">RECOMMENDED", ">SAVES", ">CONFIDENCE", "WHY"}, rows)
}

func printSizing(p *present.Printer, r *sizing.Report) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s  %s\n", name, fmt.Sprintf(format, args...))
	}
	line("function", "%s (%s)", r.Function, r.Version)
	line("mode", "%s, goal %s, from %s to %s", r.Mode, r.Goal, mb(int(r.MinMB)), mb(int(r.MaxMB)))
	line("asked for", "%s", mb(int(r.AskedMB)))
	line("effective", "%s%s", mb(int(r.EffectiveMB)), withCPU(r))
	line("recommended", "%s", mb(int(r.RecommendedMB)))
	line("why", "%s", r.Reason)
	line("saves", "%.3g GB-s in a thousand executions, %.0f %% of what was asked for", r.Saving.GBSeconds, r.Saving.Percent)
	line("confidence", "%.0f %%, of %s executions", 100*r.Confidence, present.Count(int64(r.Executions)))
	u := &r.Use
	line("memory", "p50 %.0f MB, p95 %.0f MB, p99 %.0f MB, highest %.0f MB; needed with margin %.0f MB", u.P50MB, u.P95MB, u.P99MB, u.HighestMB, u.NeedMB)
	line("duration", "p50 %.1f ms, p95 %.1f ms, %.0f %% of it throttled", u.P50Ms, u.P95Ms, 100*u.Throttled)
	line("at the amount", "%s executions: %d ran out of memory, %d grew in place, %d timed out throttled", present.Count(u.InForceFor), u.OutOfMem, u.Grown, u.TimedOut)
	for _, pattern := range r.Patterns {
		line(string(pattern.Shape), "%s", pattern.Detail)
	}
	if _, err := p.Write([]byte(b.String())); err != nil || len(r.History) == 0 {
		return err
	}
	rows := [][]string{}
	for _, h := range r.History {
		rows = append(rows, []string{h.At.UTC().Format("2006-01-02T15:04:05Z"), mb(int(h.FromMB)), mb(int(h.ToMB)), string(h.Cause), h.Reason})
	}
	if err := p.Printf("\n"); err != nil {
		return err
	}
	return p.Table([]string{"ADJUSTED", ">FROM", ">TO", "CAUSE", "WHY"}, rows)
}

// withCPU says whose CPU an amount has where that is not its own.
func withCPU(r *sizing.Report) string {
	if r.EffectiveCPUMB == r.EffectiveMB {
		return ""
	}
	return ", with the CPU of " + mb(int(r.EffectiveCPUMB))
}

func printCurve(p *present.Printer, c *sizing.Curve) error {
	if len(c.Points) > 0 {
		if err := p.Printf("An execution takes %.1f ms of CPU, on up to %.1f CPUs at once, and waits %.1f ms.\n", c.Model.CPUMs, c.Model.CPUsAtOnce, c.Model.WaitMs); err != nil {
			return err
		}
	}
	if err := p.Printf("%s\n%s\n", c.Note, c.Report.Reason); err != nil || len(c.Points) == 0 {
		return err
	}
	rows := [][]string{}
	for _, at := range c.Points {
		notes := []string{}
		for _, mark := range []struct {
			is   bool
			name string
		}{
			{at.Memory == c.Report.AskedMB, "asked for"}, {at.Memory == c.Report.EffectiveMB, "effective"},
			{at.Memory == c.Report.RecommendedMB, "recommended"}, {at.Measured, "measured"},
		} {
			if mark.is {
				notes = append(notes, mark.name)
			}
		}
		rows = append(rows, []string{
			mb(int(at.Memory)), fmt.Sprintf("%.1f ms", at.Mean), fmt.Sprintf("%.1f ms", at.P95), fmt.Sprintf("%.3g", at.GBSeconds), strings.Join(notes, ", "),
		})
	}
	return p.Table([]string{">MEMORY", ">MEAN", ">P95", ">GB-S OF 1,000", ""}, rows)
}
