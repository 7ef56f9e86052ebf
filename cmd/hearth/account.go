package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/present"
)

func newAccount(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "account",
		Short: "Manage accounts and their access keys",
		Long: `Manage accounts and their access keys; for the root account. An account may be
named by its number or its name.`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	key := &cobra.Command{Use: "key", Short: "Manage access keys", Args: cobra.NoArgs, RunE: help}
	key.AddCommand(a.keyList(), a.keyCreate(), a.keyDelete())
	cmd.AddCommand(a.accountList(), a.accountCreate(), a.accountConcurrency(), key)
	return cmd
}

// help is what a command does that only has others below it; that it does
// anything makes cobra check its arguments.
func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }

func (a *app) accountList() *cobra.Command {
	return &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List accounts", Args: cobra.NoArgs,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, _ []string) error {
			accounts, err := c.Accounts(ctx)
			if err != nil {
				return err
			}
			p := a.printer()
			return p.Value(accounts, func() error {
				rows := [][]string{}
				for _, acc := range accounts {
					rights := "-"
					if acc.Root {
						rights = "root"
					}
					rows = append(rows, []string{acc.ID, acc.Name, rights, present.Count(int64(acc.Concurrency)), date(acc.Created)})
				}
				return p.Table([]string{"ACCOUNT", "NAME", "RIGHTS", ">CONCURRENCY", "CREATED"}, rows)
			})
		}),
	}
}

func (a *app) accountCreate() *cobra.Command {
	return &cobra.Command{
		Use: "create NAME", Short: "Make an account and its first key", Args: cobra.ExactArgs(1),
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			made, err := c.CreateAccount(ctx, args[0])
			if err != nil {
				return err
			}
			p := a.printer()
			return p.Value(made, func() error {
				if err := p.Printf("# account %s (%s); the secret is not shown again\n", made.ID, made.Name); err != nil {
					return err
				}
				return printKey(p, &made.Key)
			})
		}),
	}
}

func (a *app) accountConcurrency() *cobra.Command {
	return &cobra.Command{
		Use: "set-concurrency ACCOUNT N", Short: "Set how many invocations of an account may run at once", Args: cobra.ExactArgs(2),
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			n, err := strconv.Atoi(args[1])
			if err != nil || n < 0 {
				return fmt.Errorf("%q is not a number of invocations", args[1])
			}
			return c.SetConcurrency(ctx, args[0], n)
		}),
	}
}

func (a *app) keyList() *cobra.Command {
	return &cobra.Command{
		Use: "ls ACCOUNT", Aliases: []string{"list"}, Short: "List an account's keys", Args: cobra.ExactArgs(1),
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			keys, err := c.Keys(ctx, args[0])
			if err != nil {
				return err
			}
			p := a.printer()
			return p.Value(keys, func() error {
				rows := [][]string{}
				for _, k := range keys {
					state := "inactive"
					if k.Active {
						state = "active"
					}
					rows = append(rows, []string{k.AccessKeyID, state, date(k.Created)})
				}
				return p.Table([]string{"KEY", "STATE", "CREATED"}, rows)
			})
		}),
	}
}

func (a *app) keyCreate() *cobra.Command {
	return &cobra.Command{
		Use: "create ACCOUNT", Short: "Make another key for an account", Args: cobra.ExactArgs(1),
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			key, err := c.CreateKey(ctx, args[0])
			if err != nil {
				return err
			}
			p := a.printer()
			return p.Value(key, func() error { return printKey(p, key) })
		}),
	}
}

func (a *app) keyDelete() *cobra.Command {
	return &cobra.Command{
		Use: "delete ACCOUNT KEY", Short: "Delete a key: requests signed with it are refused from now on", Args: cobra.ExactArgs(2),
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			return c.DeleteKey(ctx, args[0], args[1])
		}),
	}
}

// printKey prints a new key in the form of an AWS credentials file.
func printKey(p *present.Printer, k *client.Key) error {
	return p.Printf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", k.AccessKeyID, k.Secret)
}

func date(t time.Time) string { return t.UTC().Format(time.RFC3339) }
