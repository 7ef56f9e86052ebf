package runtimes

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hearthd/hearth/internal/sandbox"
)

// The programs that an interpreter is asked to run, to tell of itself.
var (
	//go:embed probe.py
	pythonProbe string
	//go:embed probe.js
	nodeProbe string
)

// testimony is what an interpreter says.
type testimony struct {
	Version string `json:"version"`
	// Path is the interpreter itself, where a script was asked.
	Path string `json:"path"`
	// Prefix is the directory everything of the interpreter is under.
	Prefix string `json:"prefix"`
	// Libraries are the files mapped into its process.
	Libraries []string `json:"libraries"`
}

// probe asks an interpreter what it is and what it needs, and lets Python
// compile its client into clientDir.
func probe(ctx context.Context, c candidate, clientDir string) (Runtime, error) {
	var args []string
	switch c.family {
	case Python:
		args = []string{"-S", "-B", "-c", pythonProbe, filepath.Join(clientDir, string(Python))}
	case NodeJS:
		args = []string{"-e", nodeProbe}
	}
	cmd := exec.CommandContext(ctx, c.path, args...)
	cmd.Env = []string{"PATH=" + bootPath, "LANG=C.UTF-8"}
	cmd.Dir = "/"
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return Runtime{}, fmt.Errorf("%w: %s", err, lastLine(exit.Stderr))
		}
		return Runtime{}, err
	}
	var t testimony
	if err := json.Unmarshal(out, &t); err != nil {
		return Runtime{}, fmt.Errorf("unexpected output: %w", err)
	}
	return describe(c.family, t)
}

func lastLine(text []byte) string {
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	return lines[len(lines)-1]
}

// describe makes a runtime of what an interpreter said.
func describe(family Family, t testimony) (Runtime, error) {
	rt := Runtime{Family: family, Path: t.Path, Version: t.Version}
	parts := strings.Split(t.Version, ".")
	if len(parts) < 2 {
		return Runtime{}, fmt.Errorf("its version is %q", t.Version)
	}
	switch family {
	case Python:
		rt.Name = "python" + parts[0] + "." + parts[1]
	case NodeJS:
		rt.Name = "nodejs" + parts[0] + ".x"
	}
	if _, _, reason := parseIdentifier(rt.Name); reason != "" {
		return Runtime{}, errors.New(rt.Name + " " + reason)
	}
	needed := []string{t.Prefix, filepath.Dir(t.Path)}
	for _, library := range t.Libraries {
		needed = append(needed, filepath.Dir(library))
	}
	mounts, err := mountsFor(needed)
	if err != nil {
		return Runtime{}, err
	}
	rt.Mounts = mounts
	return rt, nil
}

// standardRoot are the directories that every environment shows. A prefix of /
// or /usr/local is under it as well, as far as the interpreter is concerned.
var standardRoot = []string{"/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc"}

// mountsFor returns mounts that show the directories outside of the standard
// root at their own paths, each once and none inside another.
func mountsFor(dirs []string) ([]sandbox.Mount, error) {
	var outside []string
	for _, dir := range dirs {
		dir = filepath.Clean(dir)
		if under(dir, "/nix/store") {
			dir = "/nix/store" // packages there refer to each other
		}
		if dir == "/" || slices.ContainsFunc(standardRoot, func(root string) bool { return under(dir, root) }) {
			continue
		}
		if err := readable(dir); err != nil {
			return nil, err
		}
		outside = append(outside, dir)
	}
	slices.Sort(outside) // parents come before what is in them
	var mounts []sandbox.Mount
	for _, dir := range slices.Compact(outside) {
		if !slices.ContainsFunc(mounts, func(m sandbox.Mount) bool { return under(dir, m.Target) }) {
			mounts = append(mounts, sandbox.Mount{Source: dir, Target: dir})
		}
	}
	return mounts, nil
}

func under(path, root string) bool {
	return path == root || strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/")
}

// readable checks that the user of an environment can use dir once it is
// mounted there; its parents don't matter then.
func readable(dir string) error {
	fi, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if fi.Mode().Perm()&0o005 != 0o005 {
		return &fs.PathError{Op: "show to functions", Path: dir, Err: fmt.Errorf("mode %v: others may not read it", fi.Mode().Perm())}
	}
	return nil
}
