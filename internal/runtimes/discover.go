package runtimes

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// probeTimeout bounds the questioning of one interpreter.
const probeTimeout = 20 * time.Second

// Options say where and how to look.
type Options struct {
	// ClientDir is where the runtime clients are written; made when absent. Its
	// content must be readable by everybody, its parents need not be.
	ClientDir string
	// Prefixes are further directories with interpreters in them or in their
	// bin directories.
	Prefixes []string
	// Strict makes [Set.For] refuse what isn't exactly there.
	Strict bool
	// Log is told of interpreters that were found and can't be used. Nil means
	// nobody is.
	Log *slog.Logger
}

// Discover finds the runtimes of this host and writes the runtime clients.
// Custom runtimes (provided) are always there. Of several interpreters of one
// Lambda identifier it takes the one of the standard root, which needs no
// mounts, else the newest.
func Discover(ctx context.Context, o Options) (*Set, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := installClients(o.ClientDir)
	if err != nil {
		return nil, err
	}
	candidates := interpreters(searchDirs(o.Prefixes))
	found := make([]*Runtime, len(candidates))
	var probes errgroup.Group
	probes.SetLimit(runtime.GOMAXPROCS(0))
	for i, c := range candidates {
		probes.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, probeTimeout)
			defer cancel()
			rt, err := probe(ctx, c, dir)
			if err != nil {
				o.Log.Info("interpreter not used", "path", c.path, "reason", err)
				return nil
			}
			found[i] = &rt
			return nil
		})
	}
	_ = probes.Wait() // no probe returns an error: what can't be used is left out
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	set := &Set{clientDir: dir, strict: o.Strict, runtimes: []Runtime{{Name: "provided", Family: Provided}}}
	best := map[string]*Runtime{}
	for _, rt := range found {
		if rt != nil && (best[rt.Name] == nil || better(rt, best[rt.Name])) {
			best[rt.Name] = rt
		}
	}
	for _, rt := range best {
		set.runtimes = append(set.runtimes, *rt)
	}
	sortRuntimes(set.runtimes)
	return set, nil
}

// better reports whether of two runtimes of one name a is to be taken.
func better(a, b *Runtime) bool {
	if (len(a.Mounts) == 0) != (len(b.Mounts) == 0) {
		return len(a.Mounts) == 0
	}
	return cmp.Or(compareVersions(a.Version, b.Version), strings.Compare(b.Path, a.Path)) > 0
}

// managed are the places where version managers keep interpreters, below a home
// directory or the manager's own root.
var managed = []string{
	".pyenv/versions/*/bin",
	".asdf/installs/python/*/bin",
	".asdf/installs/nodejs/*/bin",
	".local/share/mise/installs/python/*/bin",
	".local/share/mise/installs/node/*/bin",
	".local/share/uv/python/*/bin",
	".local/share/fnm/node-versions/*/installation/bin",
	".nvm/versions/node/*/bin",
	".volta/tools/image/node/*/bin",
	"miniconda3/bin",
	"miniconda3/envs/*/bin",
}

// searchDirs lists the directories that may hold interpreters, without repeats.
func searchDirs(prefixes []string) []string {
	dirs := []string{"/usr/bin", "/usr/local/bin"}
	add := func(patterns ...string) {
		for _, p := range patterns {
			matches, _ := filepath.Glob(p) // the only error is a bad pattern
			dirs = append(dirs, matches...)
		}
	}
	for _, p := range prefixes {
		add(p, filepath.Join(p, "bin"))
	}
	for _, p := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.Base(p) == "shims" {
			// Scripts that choose a version at each start; what they choose
			// from lies beside them (pyenv, then asdf and mise).
			root := filepath.Dir(p)
			add(root+"/versions/*/bin", root+"/installs/python/*/bin", root+"/installs/node*/*/bin")
		} else {
			add(p)
		}
	}
	add("/opt/bin", "/opt/*/bin", "/usr/local/n/versions/node/*/bin")
	homes := []string{"/root"}
	if home, err := os.UserHomeDir(); err == nil {
		homes = append(homes, home)
	}
	for _, home := range homes {
		for _, m := range managed {
			add(filepath.Join(home, m))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// candidate is a program that looks like an interpreter, by its real path.
type candidate struct {
	family Family
	path   string
}

var (
	pythonName = regexp.MustCompile(`^python3(\.\d+)?$`)
	nodeName   = regexp.MustCompile(`^node(js)?$`)
)

// interpreters lists the interpreters in dirs, each program once.
func interpreters(dirs []string) []candidate {
	var list []candidate
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // not there, or not for us
		}
		for _, e := range entries {
			c := candidate{}
			switch {
			case pythonName.MatchString(e.Name()):
				c.family = Python
			case nodeName.MatchString(e.Name()):
				c.family = NodeJS
			default:
				continue
			}
			c.path, err = filepath.EvalSymlinks(filepath.Join(dir, e.Name()))
			if err == nil && executable(c.path) {
				list = append(list, c)
			}
		}
	}
	slices.SortFunc(list, func(a, b candidate) int { return strings.Compare(a.path, b.path) })
	return slices.Compact(list)
}
