package main

import (
	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/client"
)

// completeOf completes with what f finds on the node.
func (a *app) completeOf(cmd *cobra.Command, f func(*client.Client) ([]string, error)) ([]cobra.Completion, cobra.ShellCompDirective) {
	c, err := a.client(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	found, err := f(c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeAlias completes an alias of the function that the arguments name.
func (a *app) completeAlias(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeOf(cmd, func(c *client.Client) ([]string, error) { return c.AliasNames(cmd.Context(), args[0]) })
}

// completeVersion completes a version of the function that the arguments name.
func (a *app) completeVersion(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeOf(cmd, func(c *client.Client) ([]string, error) { return c.VersionNumbers(cmd.Context(), args[0]) })
}

// completeHook completes the name of a function, as a flag.
func (a *app) completeHook(cmd *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.completeFunction(cmd, nil, toComplete)
}

// completeRollout completes the name of a function that has had a roll-out.
func (a *app) completeRollout(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeOf(cmd, func(c *client.Client) ([]string, error) {
		list, err := c.Rollouts(cmd.Context(), "", "")
		var names []string
		seen := map[string]bool{}
		for _, r := range list {
			if !seen[r.Function] {
				names = append(names, r.Function)
			}
			seen[r.Function] = true
		}
		return names, err
	})
}
