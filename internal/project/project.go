package project

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Language is what a project is written in, as far as that matters for
// deploying it.
type Language string

// The languages.
const (
	Python Language = "python"
	NodeJS Language = "nodejs"
	Go     Language = "go"     // compiled to a bootstrap
	Custom Language = "custom" // has a bootstrap
	Other  Language = "other"  // whatever the runtime named by the user runs
)

// The runtimes that are asked for when the node does not say what it has.
const (
	customRuntime = "provided.al2023"
	defaultPython = "python3.13"
	defaultNodeJS = "nodejs22.x"
)

// Hints are what the user said; empty members are guessed.
type Hints struct {
	Runtime string
	Handler string
}

// Project is a directory that can be deployed.
type Project struct {
	Dir      string
	Language Language
	// Handler is what to set as the function's handler.
	Handler string
	// Why says in half a sentence what Language and Handler were told from.
	Why string

	runtime string // as the user said
}

// Open looks at a directory.
func Open(dir string, hints Hints) (*Project, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fmt.Errorf("open the project: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open the project: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory: name the directory that has the function's files", dir)
	}
	p, err := guess(dir, languagesOf(hints.Runtime), hints)
	if err != nil {
		return nil, err
	}
	p.runtime = hints.Runtime
	return p, nil
}

// languagesOf returns the languages that a runtime may stand for, all that can
// be guessed for "".
func languagesOf(runtime string) []Language {
	switch {
	case runtime == "":
		return []Language{Custom, Python, NodeJS, Go}
	case strings.HasPrefix(runtime, "python"):
		return []Language{Python}
	case strings.HasPrefix(runtime, "nodejs"):
		return []Language{NodeJS}
	case strings.HasPrefix(runtime, "provided"), strings.HasPrefix(runtime, "go"):
		return []Language{Custom, Go}
	}
	return []Language{Other}
}

// Runtime returns the identifier to ask for: what the user said, or the newest
// of the language among those that the node serves.
func (p *Project) Runtime(served []string) string {
	if p.runtime != "" {
		return p.runtime
	}
	switch p.Language {
	case Python:
		return newest(served, string(Python), defaultPython)
	case NodeJS:
		return newest(served, string(NodeJS), defaultNodeJS)
	default:
		return customRuntime
	}
}

// newest returns the identifier with the highest version.
func newest(served []string, language, otherwise string) string {
	best, version := otherwise, []int(nil)
	for _, name := range served {
		if !strings.HasPrefix(name, language) {
			continue
		}
		if v := numbers(name); version == nil || slices.Compare(v, version) > 0 {
			best, version = name, v
		}
	}
	return best
}

var digits = regexp.MustCompile(`[0-9]+`)

// numbers returns the numbers in a runtime's name: 3 and 11 of python3.11.
func numbers(name string) []int {
	list := []int{}
	for _, s := range digits.FindAllString(name, -1) {
		n, err := strconv.Atoi(s)
		if err != nil {
			continue // too large to be a version
		}
		list = append(list, n)
	}
	return list
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// Name returns a function name made of the directory's.
func (p *Project) Name() string {
	name := strings.Trim(notInName.ReplaceAllString(filepath.Base(p.Dir), "-"), "-")
	if name == "" {
		return "function"
	}
	return name[:min(len(name), 64)]
}

// Suits tells whether a function that was deployed with this runtime and
// handler may keep them: they are of the project's language, and there is a file
// for the handler.
func (p *Project) Suits(runtime, handler string) bool {
	return slices.Contains(languagesOf(runtime), p.Language) && p.has(handler)
}

// has tells whether there is a file for a handler.
func (p *Project) has(handler string) bool {
	module, _, ok := cutLast(handler, ".")
	switch p.Language {
	case Python:
		path := strings.ReplaceAll(module, ".", "/")
		return ok && (p.isFile(path+".py") || p.isFile(filepath.Join(path, "__init__.py")))
	case NodeJS:
		return ok && (p.isFile(module+".js") || p.isFile(module+".mjs") || p.isFile(module+".cjs"))
	default:
		return true
	}
}

func (p *Project) isFile(path string) bool {
	if path == "" || !filepath.IsLocal(path) {
		return false
	}
	info, err := os.Stat(filepath.Join(p.Dir, path))
	return err == nil && info.Mode().IsRegular()
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
