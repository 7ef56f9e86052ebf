package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/present"
)

func newUsage(a *app) *cobra.Command {
	var (
		q            client.UsageQuery
		since, until string
		csv          bool
	)
	cmd := &cobra.Command{
		Use:   "usage [FUNCTION]",
		Short: "Show what executions were given and used",
		Long: `Show how often functions were invoked, and how much memory for how long was asked
for by their owner, allocated to them, really used, wasted (allocated and not
used) and saved by sizing (asked for and not allocated), in GB times milliseconds
of billed duration. Hours and days are in UTC.`,
		Example: `  hearth usage
  hearth usage hello --since 7d --by version,day
  hearth usage --since 2026-03-01 --until 2026-04-01 --csv > march.csv`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeFunction,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				q.Function = args[0]
			}
			var err error
			if q.Since, err = moment("--since", since, time.Now()); err != nil {
				return err
			}
			if q.Until, err = moment("--until", until, time.Now()); err != nil {
				return err
			}
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			if csv {
				return c.UsageCSV(cmd.Context(), q, a.stdout)
			}
			return a.usage(cmd.Context(), c, q)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&since, "since", "", "from when on: a time or date in UTC (2026-03-04T05:00:00Z, 2026-03-04), or how long ago (12h, 7d)")
	f.StringVar(&until, "until", "", "until when")
	f.StringSliceVar(&q.By, "by", []string{"function"}, "what to tell apart: hour, day, function, version, account, or several of them")
	f.StringVar(&q.Account, "account", "", `another account's usage, or "all" (root account)`)
	f.BoolVar(&csv, "csv", false, "print CSV")
	return cmd
}

func (a *app) usage(ctx context.Context, c *client.Client, q client.UsageQuery) error {
	list, err := c.Usage(ctx, q)
	if err != nil {
		return err
	}
	out := a.printer()
	return out.Value(list, func() error { return printUsage(out, list, q.By) })
}

func printUsage(out *present.Printer, list []client.Usage, by []string) error {
	var headings []string
	for _, column := range []string{"start", "account", "function", "version"} {
		if has(by, column) {
			headings = append(headings, column)
		}
	}
	columns := len(headings)
	headings = append(headings, ">invocations", ">errors", ">asked", ">allocated", ">used", ">wasted", ">saved")
	var rows [][]string
	for _, u := range list {
		row := make([]string, 0, len(headings))
		for _, column := range headings[:columns] {
			switch column {
			case "start":
				row = append(row, u.Start.Format("2006-01-02T15:04Z"))
			case "account":
				row = append(row, u.Account)
			case "function":
				row = append(row, u.Function)
			case "version":
				row = append(row, u.Version)
			}
		}
		row = append(row, strconv.FormatInt(u.Invocations, 10), strconv.FormatInt(u.Errors, 10))
		for _, amount := range []float64{u.AskedGBms, u.AllocatedGBms, u.UsedGBms, u.WastedGBms, u.SavedGBms} {
			row = append(row, strconv.FormatFloat(amount, 'f', 1, 64))
		}
		rows = append(rows, row)
	}
	return out.Table(headings, rows)
}

// has tells whether the rows have a column.
func has(by []string, column string) bool {
	switch column {
	case "start":
		return slices.Contains(by, "hour") || slices.Contains(by, "day")
	case "function":
		return slices.Contains(by, "function") || slices.Contains(by, "version") || len(by) == 0
	}
	return slices.Contains(by, column)
}

// moment is the time that a flag names, zero for none.
func moment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, format := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(format, text); err == nil {
			return at, nil
		}
	}
	if days, err := strconv.Atoi(text[:len(text)-1]); err == nil && text[len(text)-1] == 'd' && days >= 0 {
		return now.AddDate(0, 0, -days), nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("%s is a time (2026-03-04T05:00:00Z), a date (2026-03-04) or how long ago (12h, 7d), not %q", flag, text)
}
