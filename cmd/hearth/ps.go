package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/present"
)

func newProcesses(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "ps",
		Short: "Show the pools: instances, their environments, and their memory",
		Args:  cobra.NoArgs,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, _ []string) error {
			pools, err := c.Processes(ctx)
			if err != nil {
				return err
			}
			p := a.printer()
			return p.Value(pools, func() error { return printPools(p, pools) })
		}),
	}
}

func printPools(p *present.Printer, pools *client.Processes) error {
	rows := [][]string{}
	for _, i := range pools.Instances {
		for _, e := range i.Environments {
			rows = append(rows, []string{
				i.Pool, short(i.ID), dash(i.Account), short(e.ID), dash(e.Function), dash(e.Version), dash(short(e.Revision)),
				e.Runtime, stateOf(e), present.Bytes(e.UsedBytes) + " of " + strconv.Itoa(e.MemoryMB) + " MB",
				present.Count(e.Invocations), present.Age(time.Duration(e.AgeSeconds) * time.Second),
			})
		}
		if len(i.Environments) == 0 {
			rows = append(rows, []string{i.Pool, short(i.ID), dash(i.Account), "-", "-", "-", "-", "-", "empty", "-", "-", "-"})
		}
	}
	err := p.Table([]string{"POOL", "INSTANCE", "ACCOUNT", "ENVIRONMENT", "FUNCTION", "VERSION", "REVISION", "RUNTIME", "STATE", ">MEMORY", ">INVOCATIONS", ">AGE"}, rows)
	if err != nil || !p.Terminal {
		return err
	}
	m := pools.MemoryMB
	return p.Printf("\nnode %s: %s MB used, %s MB allocated, of %s MB\n", pools.Node,
		present.Count(int64(m.Used)), present.Count(int64(m.Allocated)), present.Count(int64(m.Capacity)))
}

// stateOf is what an environment does, and whether it is kept whatever it does.
func stateOf(e client.Environment) string {
	if e.Provisioned {
		return e.State + ", provisioned"
	}
	return e.State
}

// short is as much of an identifier as people need to tell two apart.
func short(id string) string { return id[:min(len(id), 12)] }

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
