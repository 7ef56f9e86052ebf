package main

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/server"
)

// build tells what this binary was made from.
func build() server.Version {
	v := server.Version{Version: version, Commit: commit, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok && v.Version == "" {
		v.Version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Commit = s.Value[:min(len(s.Value), 12)]
			}
		}
	}
	v.Version, v.Commit = cmp.Or(v.Version, "unknown"), cmp.Or(v.Commit, "unknown")
	return v
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			p, v := a.printer(), build()
			return p.Value(v, func() error {
				return p.Printf("hearth %s (commit %s, %s, %s/%s)\n", v.Version, v.Commit, v.Go, runtime.GOOS, runtime.GOARCH)
			})
		},
	}
}
