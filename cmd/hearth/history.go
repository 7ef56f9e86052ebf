package main

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/present"
)

func newHistory(a *app) *cobra.Command {
	limit := 0
	cmd := &cobra.Command{
		Use:   "history FUNCTION",
		Short: "Show who changed what of a function, and when",
		Long: `Show who changed what of a function, and when: the last 64 changes, the newest at
the end. Who is an access key, or "hearth" for what the platform completed.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeFunction,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			changes, err := c.History(ctx, args[0])
			if err != nil {
				return err
			}
			if limit > 0 {
				changes = changes[max(0, len(changes)-limit):]
			}
			p := a.printer()
			return p.Value(changes, func() error { return printHistory(p, changes) })
		}),
	}
	cmd.Flags().IntVarP(&limit, "lines", "n", 0, "how many changes, the newest; 0 is all")
	return cmd
}

func printHistory(p *present.Printer, changes []client.Change) error {
	rows := [][]string{}
	for _, ch := range changes {
		what := make([]string, len(ch.Items))
		for i, item := range ch.Items {
			what[i] = describe(item)
		}
		rows = append(rows, []string{
			date(ch.Time), cmp.Or(ch.AccessKeyID, ch.Account, "hearth"), dash(ch.Operation), dash(strings.Join(what, "; ")),
		})
	}
	return p.Table([]string{"TIME", "BY", "OPERATION", "WHAT"}, rows)
}

// describe writes what a change made of one thing.
func describe(i client.Item) string {
	old, now := i.Old, i.New
	if i.Of == "code" {
		old, now = short(old), short(now)
	}
	switch {
	case old == "":
		return i.Of + ": " + now
	case now == "":
		return i.Of + ": no longer " + old
	}
	return i.Of + ": " + old + " → " + now
}
