package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/present"
)

func newVersions(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "versions FUNCTION",
		Short:             "Show a function's versions, the aliases that lead to them, and the environments that run them",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeFunction,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			v, err := c.Versions(ctx, args[0])
			if err != nil {
				return err
			}
			p := a.printer()
			return p.Value(v, func() error { return printVersions(p, v) })
		}),
	}
}

func printVersions(p *present.Printer, v *client.Versions) error {
	rows := [][]string{}
	for _, ver := range v.Versions {
		state := ver.State
		if ver.UpdateStatus != "" && ver.UpdateStatus != "Successful" {
			state += ", update " + ver.UpdateStatus
		}
		rows = append(rows, []string{
			ver.Version, short(ver.CodeSHA256), present.Bytes(ver.CodeBytes), strconv.Itoa(ver.MemoryMB) + " MB", date(ver.LastModified),
			state, dash(shares(ver.Aliases)), dash(provisioned(v, ver)), dash(running(ver)), dash(ver.Description),
		})
	}
	err := p.Table([]string{"VERSION", "CODE", ">SIZE", ">MEMORY", "MODIFIED", "STATE", "ALIASES", "PROVISIONED", "ENVIRONMENTS", "DESCRIPTION"}, rows)
	if err != nil || !p.Terminal {
		return err
	}
	for _, alias := range v.Aliases {
		if alias.MovingFrom != nil {
			if err := p.Printf("\nalias %s moves to version %s as soon as environments of it are ready\n", alias.Name, alias.Version); err != nil {
				return err
			}
		}
	}
	return nil
}

// shares lists aliases with what part of their requests they send.
func shares(aliases map[string]float64) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(aliases)) {
		if share := aliases[name]; share < 1 {
			name += " " + strconv.FormatFloat(100*share, 'g', 4, 64) + "%"
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}

// provisioned lists the provisioned concurrency of a version and of the aliases
// that point at it: what is there, of what was asked for.
func provisioned(v *client.Versions, ver client.Version) string {
	var list []string
	add := func(p *client.Provisioned, of string) {
		if p != nil {
			list = append(list, fmt.Sprintf("%d of %d%s", p.Available, p.Requested, of))
		}
	}
	add(ver.Provisioned, "")
	for _, a := range v.Aliases {
		if a.Version == ver.Version {
			add(a.Provisioned, " ("+a.Name+")")
		}
	}
	return strings.Join(list, ", ")
}

// running counts a version's environments by what they do; those of another
// revision, which $LATEST may have during an update, apart.
func running(ver client.Version) string {
	counts := map[string]int{}
	for _, e := range ver.Environments {
		state := e.State
		if e.Revision != ver.Revision {
			state += " of another revision"
		}
		counts[state]++
	}
	var list []string
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, strconv.Itoa(counts[state])+" "+state)
	}
	return strings.Join(list, ", ")
}
