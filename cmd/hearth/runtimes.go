package main

import (
	"context"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/present"
)

func newRuntimes(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "runtimes",
		Short: "List what the node can run",
		Args:  cobra.NoArgs,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, _ []string) error {
			r, err := c.Runtimes(ctx)
			if err != nil {
				return err
			}
			p := a.printer()
			return p.Value(r, func() error { return printRuntimes(p, r) })
		}),
	}
}

// printRuntimes prints what there is, and on a terminal what of it serves
// which of Lambda's identifiers.
func printRuntimes(p *present.Printer, r *client.Runtimes) error {
	rows := [][]string{}
	for _, rt := range r.Runtimes {
		rows = append(rows, []string{rt.Name, dash(rt.Version), dash(rt.Path)})
	}
	if err := p.Table([]string{"RUNTIME", "VERSION", "PATH"}, rows); err != nil || !p.Terminal {
		return err
	}
	near := [][]string{}
	for _, id := range slices.Sorted(maps.Keys(r.Identifiers)) {
		if s := r.Identifiers[id]; !s.Exact {
			near = append(near, []string{id, s.ServedBy})
		}
	}
	if len(near) == 0 {
		return nil
	}
	if err := p.Printf("\n"); err != nil {
		return err
	}
	return p.Table([]string{"IDENTIFIER", "SERVED BY"}, near)
}
