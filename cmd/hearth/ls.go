package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/present"
)

func newList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List functions",
		Args:    cobra.NoArgs,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, _ []string) error {
			functions, err := c.Functions(ctx)
			if err != nil {
				return err
			}
			p := a.printer()
			return p.Value(functions, func() error {
				rows := [][]string{}
				for _, f := range functions {
					rows = append(rows, []string{
						f.Name, f.Runtime, f.Handler, strconv.Itoa(f.MemoryMB) + " MB", strconv.Itoa(f.TimeoutSec) + " s",
						present.Bytes(f.CodeBytes), f.LastModified,
					})
				}
				return p.Table([]string{"NAME", "RUNTIME", "HANDLER", ">MEMORY", ">TIMEOUT", ">CODE", "MODIFIED"}, rows)
			})
		}),
	}
}
