package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/present"
	"github.com/hearthd/hearth/internal/project"
)

// deployment is what the flags say that `hearth deploy` and `hearth dev` have
// in common.
type deployment struct {
	client.Deployment
	hints project.Hints
}

func (d *deployment) flags(f *pflag.FlagSet) {
	f.StringVar(&d.Name, "name", "", "the function's name (default: the directory's)")
	f.StringVar(&d.hints.Runtime, "runtime", "", "such as python3.12 (default: what suits the directory)")
	f.StringVar(&d.hints.Handler, "handler", "", "such as app.handler (default: what suits the directory)")
	f.IntVar(&d.MemoryMB, "memory", 0, "memory in MB (default: as it is, 128 for a new function)")
	f.IntVar(&d.TimeoutSec, "timeout", 0, "time-out in seconds (default: as it is, 3 for a new function)")
	f.StringToStringVar(&d.Env, "env", nil, "environment variable to set, K=V (may be repeated)")
}

// directory is the one that a command was given, or the working directory.
func directory(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	return "."
}

func completeDirectory(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

func newDeploy(a *app) *cobra.Command {
	var d deployment
	cmd := &cobra.Command{
		Use:   "deploy DIR",
		Short: "Make a function of a directory, or update it",
		Long: `Make a function of a directory, or update the one there is, and wait until it
runs. What the directory holds is told from its files:

  lambda_function.py, app.py, main.py, ... with a function lambda_handler or handler
  index.js, index.mjs, app.js, ... or the main of package.json, exporting handler
  an executable bootstrap
  a Go program, which is compiled

Of a function that exists only what has changed is updated. A file .hearthignore
keeps files out of the package, in the language of .gitignore.`,
		Example:           "  hearth deploy ./hello\n  hearth deploy . --name hello --memory 512 --env STAGE=test --publish",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeDirectory,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := project.Open(directory(args), d.hints)
			if err != nil {
				return err
			}
			return a.deploy(cmd.Context(), p, d)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	d.flags(f)
	f.BoolVar(&d.Publish, "publish", false, "publish a version afterwards")
	return cmd
}

func (a *app) deploy(ctx context.Context, p *project.Project, d deployment) error {
	c, err := a.client(ctx)
	if err != nil {
		return err
	}
	progress := present.NewProgress(a.stderr)
	result, err := deploy(ctx, c, p, d, progress.Step)
	progress.Stop()
	if err != nil {
		return err
	}
	out := a.printer()
	return out.Value(result, func() error { return printDeployed(out, p, result) })
}

// deploy packs the project and brings the function up to date.
func deploy(ctx context.Context, c *client.Client, p *project.Project, d deployment, step func(string)) (*client.Deployed, error) {
	d.Name = cmp.Or(d.Name, p.Name())
	step("packing " + p.Dir + " (" + p.Why + ")")
	pkg, err := p.Package(ctx)
	if err != nil {
		return nil, err
	}
	d.Zip, d.SHA256 = pkg.Zip, pkg.SHA256
	served, err := c.Runtimes(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range served.Runtimes {
		names = append(names, r.Name)
	}
	d.Runtime, d.Handler = p.Runtime(names), p.Handler
	if d.hints == (project.Hints{}) {
		d.Keep = p.Suits
	}
	return c.Deploy(ctx, d.Deployment, step)
}

// printDeployed says what was done and what can be done next.
func printDeployed(out *present.Printer, p *project.Project, r *client.Deployed) error {
	f := r.Function
	var did string
	switch {
	case r.Created:
		did = "created"
	case r.CodeChanged && r.ConfigChanged:
		did = "updated: code and configuration"
	case r.CodeChanged:
		did = "updated: code"
	case r.ConfigChanged:
		did = "updated: configuration"
	default:
		did = "is up to date"
	}
	rows := [][2]string{
		{"runtime", f.Runtime},
		{"handler", f.Handler + " (" + p.Why + ")"},
		{"memory", strconv.Itoa(f.MemoryMB) + " MB"},
		{"timeout", strconv.Itoa(f.TimeoutSec) + " s"},
		{"code", present.Bytes(f.CodeBytes)},
		{"arn", f.ARN},
	}
	if f.Handler != p.Handler {
		rows[1][1] = f.Handler
	}
	if r.Published != "" {
		rows = append(rows, [2]string{"version", r.Published})
	}
	if slices.Contains([]project.Language{project.Go, project.Custom}, p.Language) {
		rows = slices.Delete(rows, 1, 2) // a bootstrap is a bootstrap
	}
	if err := out.Printf("%s %s\n", out.Bold(f.Name), did); err != nil {
		return err
	}
	for _, row := range rows {
		if err := out.Printf("  %s %s\n", out.Dim(fmt.Sprintf("%-8s", row[0])), row[1]); err != nil {
			return err
		}
	}
	return out.Printf("\nNext:\n  hearth invoke %s --payload '{}' --log\n  hearth logs %s -f\n", f.Name, f.Name)
}
