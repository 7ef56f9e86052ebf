package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/client"
)

func newLogs(a *app) *cobra.Command {
	var (
		q     client.LogQuery
		since time.Duration
	)
	cmd := &cobra.Command{
		Use:   "logs FUNCTION",
		Short: "Print a function's log",
		Long: `Print a function's log: the newest lines, or all since some time ago, and with
--follow those that come.`,
		Example:           "  hearth logs hello -f\n  hearth logs hello --since 10m | grep ERROR",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeFunction,
		RunE: func(cmd *cobra.Command, args []string) error {
			if since > 0 {
				q.Since = time.Now().Add(-since)
				if !cmd.Flags().Changed("lines") {
					q.Limit = 0
				}
			}
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			p := a.printer()
			return c.Logs(cmd.Context(), args[0], q, func(e client.LogEvent) error {
				if p.JSON {
					return p.Line(e)
				}
				return p.Printf("%s %s\n", p.Dim(e.Time().UTC().Format("2006-01-02T15:04:05.000Z")), e.Message)
			})
		},
	}
	cmd.Flags().BoolVarP(&q.Follow, "follow", "f", false, "go on with lines as they come")
	cmd.Flags().DurationVar(&since, "since", 0, "how far back to begin, such as 10m")
	cmd.Flags().IntVarP(&q.Limit, "lines", "n", 100, "how many lines to begin with, the newest; 0 is all (default 0 with --since)")
	return cmd
}
