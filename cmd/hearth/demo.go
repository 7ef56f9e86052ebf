package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/demo"
)

func newDemo(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "See it work: a node, a function, a thousand invocations, nothing left behind",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if os.Geteuid() != 0 {
				return errors.New("sandboxes need root: run `sudo hearth demo`")
			}
			return demo.Run(cmd.Context(), a.printer())
		},
	}
}
