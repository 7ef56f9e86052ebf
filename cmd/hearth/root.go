package main

import (
	"context"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/present"
	"github.com/hearthd/hearth/internal/server"
)

// app is what all commands share: the global flags and where they read and write.
type app struct {
	options client.Options
	json    bool

	stdin          io.Reader
	stdout, stderr io.Writer
}

// client opens the node that the flags name.
func (a *app) client(ctx context.Context) (*client.Client, error) {
	o := a.options
	o.NodeCredentials = filepath.Join(server.DefaultDir(), "credentials")
	return client.Open(ctx, o)
}

// printer prints the results of a command.
func (a *app) printer() *present.Printer { return present.New(a.stdout, a.json) }

// newRoot makes the command tree.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "hearth",
		Short: "A serverless platform of your own that speaks the AWS Lambda API",
		Long: `Hearth runs functions on your own machine and speaks the AWS Lambda API.

  hearth demo             see it work, from nothing to a thousand invocations
  hearth serve            run a node
  hearth deploy DIR       make a function of a directory
  hearth invoke FUNCTION  call it`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	flags := root.PersistentFlags()
	flags.StringVar(&a.options.Endpoint, "endpoint", "", "the node's URL (env HEARTH_ENDPOINT, AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL; default "+client.DefaultEndpoint+")")
	flags.StringVar(&a.options.Profile, "profile", "", "profile of the AWS configuration")
	flags.StringVar(&a.options.CredentialsFile, "credentials", "", "file with credentials in the AWS format, such as the one in a node's data directory")
	flags.BoolVar(&a.json, "json", false, "print JSON")
	root.AddGroup(
		&cobra.Group{ID: "node", Title: "A node:"},
		&cobra.Group{ID: "function", Title: "Functions:"},
		&cobra.Group{ID: "look", Title: "What is going on:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("node", newServe(a), newDemo(a), newAccount(a))
	add("function", newDeploy(a), newDev(a), newInvoke(a), newList(a), newLogs(a), newVersions(a), newHistory(a), newRollback(a), newRollout(a))
	add("look", newProcesses(a), newSizing(a), newUsage(a), newRuntimes(a), newVersion(a))
	return root
}

// withClient makes a command of something that needs a node.
func (a *app) withClient(f func(context.Context, *client.Client, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.client(cmd.Context())
		if err != nil {
			return err
		}
		return f(cmd.Context(), c, args)
	}
}

// completeFunction completes the name of a function of the node's.
func (a *app) completeFunction(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c, err := a.client(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	names, err := c.Names(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
