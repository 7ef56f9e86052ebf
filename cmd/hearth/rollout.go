package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/rollout"
)

func newRollout(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollout",
		Short: "Move an alias to another version in steps, and back when it does worse",
		Long: `Move an alias to another version in steps. While both versions answer requests,
guards compare them (errors, time-outs, durations, memory); when the new version
does worse than tolerated, the alias is moved back.

Commands name a roll-out by its function (the one under way, or the last one) or
by its own name, such as hello.live.3.`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	cmd.AddCommand(a.rolloutStart(), a.rolloutStatus(), a.rolloutWatch(),
		a.rolloutAsk("pause", "Stop the clock of the present step; the alias keeps its weights", "paused"),
		a.rolloutAsk("resume", "Go on with a paused roll-out", "resumed"),
		a.rolloutAsk("abort", "Move the alias back to the old version", "aborted"),
		a.rolloutList())
	return cmd
}

func (a *app) rolloutStart() *cobra.Command {
	var (
		spec   rollout.Spec
		steps  string
		guards []string
		bake   time.Duration
		watch  bool
	)
	cmd := &cobra.Command{
		Use:   "start FUNCTION",
		Short: "Begin a roll-out",
		Long: `Begin to move an alias to another version.

The strategy is one of CodeDeploy's names for Lambda, in any case, or the same with
other numbers: canary5percent10minutes, linear20percentevery30seconds. --steps says
each step instead. Requests of a step of 0% are the old version's alone; a last
step of 100% with a time, or --bake, observes the new version before the roll-out
succeeds.

Guards compare the two versions from the requests that name the alias:
  errors=1%     so much more of the new version's requests may fail
  timeouts=0.5% or time out
  p50=1.5x+10%  so much more of its requests may take longer than 1.5 times the
                old version's median
  p99=2x+2%     or than twice its 99th percentile
  memory=1.5x+10%
These are the defaults; --guard changes one, --guard METRIC=off switches one off,
and --guard none all.`,
		Example: `  hearth rollout start hello --alias live --to 7 --watch
  hearth rollout start hello --alias live --strategy linear10percentevery1minute --pre-hook check-hello
  hearth rollout start hello --alias live --steps 1%:30s,10%:1m,50%:5m --guard p99=off --guard errors=0.1%`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeFunction,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			spec.Function, spec.BakeSeconds = args[0], bake.Seconds()
			if steps != "" {
				if spec.Steps, err = rollout.ParseSteps(steps); err != nil {
					return err
				}
			}
			if spec.Guards, err = rollout.ParseGuards(guards); err != nil {
				return err
			}
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			made, err := c.StartRollout(cmd.Context(), spec)
			if err != nil {
				return err
			}
			if watch {
				return a.watchRollout(cmd.Context(), c, made.ID)
			}
			p := a.printer()
			return p.Value(made, func() error {
				return p.Printf("roll-out %s: alias %s from version %s to %s, %s\n\nNext:\n  hearth rollout watch %s\n  hearth rollout abort %s\n",
					p.Bold(made.ID), made.Alias, made.From, made.To, made.Strategy, made.ID, made.ID)
			})
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&spec.Alias, "alias", "", "the alias to move")
	f.StringVar(&spec.To, "to", "", "the version to move it to (default: the newest)")
	f.StringVar(&spec.Strategy, "strategy", "", "how (default "+rollout.DefaultStrategy+")")
	f.StringVar(&steps, "steps", "", "or step by step, such as 1%:30s,10%:1m,50%:5m")
	f.DurationVar(&bake, "bake", 0, "how long to observe the new version once it has all requests")
	f.StringVar(&spec.PreHook, "pre-hook", "", "function to ask before any request moves, NAME or NAME:QUALIFIER")
	f.StringVar(&spec.PostHook, "post-hook", "", "function to ask after all have")
	f.StringArrayVar(&guards, "guard", nil, "change a guard, METRIC=LIMIT (may be repeated)")
	f.Float64Var(&spec.Alpha, "alpha", rollout.DefaultAlpha, "probability with which a version that is no worse than tolerated may be moved back")
	f.IntVar(&spec.MinSample, "min-sample", rollout.DefaultMinSample, "how many requests the new version answers before a guard may speak")
	f.BoolVarP(&watch, "watch", "w", false, "watch it until it has ended")
	must(cmd.MarkFlagRequired("alias"))
	must(cmd.RegisterFlagCompletionFunc("alias", a.completeAlias))
	must(cmd.RegisterFlagCompletionFunc("to", a.completeVersion))
	must(cmd.RegisterFlagCompletionFunc("strategy", cobra.FixedCompletions(rollout.Strategies, cobra.ShellCompDirectiveNoFileComp)))
	must(cmd.RegisterFlagCompletionFunc("pre-hook", a.completeHook))
	must(cmd.RegisterFlagCompletionFunc("post-hook", a.completeHook))
	must(cmd.RegisterFlagCompletionFunc("guard", cobra.FixedCompletions(
		[]string{"none", "errors=1%", "errors=off", "timeouts=0.5%", "timeouts=off", "p50=1.5x", "p50=off", "p99=2x", "p99=off", "memory=1.5x", "memory=off"},
		cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// must is for what can't fail unless the command tree is wrong.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// ofRollout makes a command about one roll-out, which its arguments name.
func (a *app) ofRollout(use, short string, f func(context.Context, *client.Client, *rollout.Rollout) error) *cobra.Command {
	var alias string
	cmd := &cobra.Command{
		Use: use + " FUNCTION", Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeRollout,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			r, err := c.Rollout(ctx, args[0], alias)
			if err != nil {
				return err
			}
			return f(ctx, c, r)
		}),
	}
	cmd.Flags().StringVar(&alias, "alias", "", "the alias, where roll-outs of several are under way")
	must(cmd.RegisterFlagCompletionFunc("alias", a.completeAlias))
	return cmd
}

func (a *app) rolloutStatus() *cobra.Command {
	return a.ofRollout("status", "Show a roll-out: its step, what its guards see, and why",
		func(_ context.Context, _ *client.Client, r *rollout.Rollout) error {
			p := a.printer()
			return p.Value(r, func() error { return printRollout(p, r, time.Now()) })
		})
}

func (a *app) rolloutWatch() *cobra.Command {
	return a.ofRollout("watch", "Watch a roll-out until it has ended; fails unless it succeeds",
		func(ctx context.Context, c *client.Client, r *rollout.Rollout) error {
			return a.watchRollout(ctx, c, r.ID)
		})
}

func (a *app) rolloutAsk(what, short, done string) *cobra.Command {
	return a.ofRollout(what, short, func(ctx context.Context, c *client.Client, r *rollout.Rollout) error {
		now, err := c.AskRollout(ctx, r.ID, what)
		if err != nil {
			return err
		}
		p := a.printer()
		return p.Value(now, func() error {
			return p.Printf("%s %s: %s of the requests of alias %s are version %s's\n", p.Bold(now.ID), done, percentage(now.Percent), now.Alias, now.To)
		})
	})
}

func (a *app) rolloutList() *cobra.Command {
	var alias string
	cmd := &cobra.Command{
		Use: "list [FUNCTION]", Aliases: []string{"ls"}, Short: "List roll-outs, those under way first", Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeFunction,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			list, err := c.Rollouts(ctx, slices.Concat(args, []string{""})[0], alias)
			if err != nil {
				return err
			}
			p := a.printer()
			return p.Value(list, func() error {
				rows := [][]string{}
				for _, r := range list {
					rows = append(rows, []string{r.ID, r.Alias, r.From, r.To, string(r.State), percentage(r.Percent), r.Strategy, date(r.Created), dash(r.Reason)})
				}
				return p.Table([]string{"ROLLOUT", "ALIAS", "FROM", "TO", "STATE", ">NEW", "STRATEGY", "BEGUN", "REASON"}, rows)
			})
		}),
	}
	cmd.Flags().StringVar(&alias, "alias", "", "of this alias only")
	return cmd
}

func percentage(p float64) string { return fmt.Sprintf("%g%%", p) }
