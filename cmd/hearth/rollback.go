package main

import (
	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/present"
)

func newRollback(a *app) *cobra.Command {
	var r client.Rollback
	cmd := &cobra.Command{
		Use:   "rollback FUNCTION",
		Short: "Take a function, or an alias of it, back to what it was",
		Long: `Take a function, or an alias of it, back to what it was.

With --alias, the alias points at the version again that it pointed at before; where
it sends a part of the requests to a second version, all go to the first. Without it,
$LATEST gets the code and the configuration that served before the last update; an
update that failed or is still under way is called off. --to names a version to go
back to instead. What answers now goes on until the other is ready.`,
		Example: "  hearth rollback hello\n  hearth rollback hello --alias live\n  hearth rollback hello --alias live --to 7",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: a.completeFunction,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			progress := present.NewProgress(a.stderr)
			back, err := c.Rollback(cmd.Context(), args[0], r, progress.Step)
			progress.Stop()
			if err != nil {
				return err
			}
			p := a.printer()
			return p.Value(back, func() error {
				if back.Alias != "" {
					return p.Printf("alias %s of %s points at version %s\n", back.Alias, back.Function, back.Version)
				}
				return p.Printf("%s runs code %s again\n", back.Function, short(back.CodeSHA256))
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.Alias, "alias", "", "the alias to take back (default $LATEST)")
	f.StringVar(&r.To, "to", "", "the version to go back to (default the one before)")
	return cmd
}
