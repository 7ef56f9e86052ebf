package project

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// UnknownError says that a directory does not look like a function.
type UnknownError struct {
	Dir string
	// Reason is a sentence that says what is missing and what to do.
	Reason string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("cannot tell how to run %s: %s", e.Dir, e.Reason)
}

// guess finds the one language of those given that the directory is in.
func guess(dir string, among []Language, hints Hints) (*Project, error) {
	if slices.Equal(among, []Language{Other}) {
		if hints.Handler == "" {
			return nil, &UnknownError{dir, "say which handler " + hints.Runtime + " shall call (--handler)"}
		}
		return &Project{Dir: dir, Language: Other, Handler: hints.Handler, Why: "as you said"}, nil
	}
	var found []*Project
	var near []string // what almost was a function
	for _, language := range among {
		p, why, err := finders[language](dir)
		if err != nil {
			return nil, err
		}
		if p == nil {
			if why != "" {
				near = append(near, why)
			}
			continue
		}
		p.Dir, p.Language = dir, language
		found = append(found, p)
		if language == Custom {
			break // whoever makes a bootstrap means it
		}
	}
	switch {
	case len(found) == 1:
		if hints.Handler != "" {
			found[0].Handler, found[0].Why = hints.Handler, "as you said"
		}
		return found[0], nil
	case len(found) > 1:
		var why []string
		for _, p := range found {
			why = append(why, p.Why)
		}
		return nil, &UnknownError{dir, strings.Join(why, ", and ") + "; say which runtime you mean (--runtime)"}
	case hints.Handler != "" && len(among) == 1: // a handler that we would not have found
		return &Project{Dir: dir, Language: among[0], Handler: hints.Handler, Why: "as you said"}, nil
	case len(near) > 0:
		return nil, &UnknownError{dir, strings.Join(near, "; ")}
	}
	return nil, &UnknownError{dir, "there is no app.py or lambda_function.py with a function lambda_handler or handler, " +
		"no index.js or index.mjs that exports handler, no executable bootstrap and no Go program; say what to run (--runtime and --handler)"}
}

// finders return the project, or nil and possibly a half sentence about what
// is missing.
var finders = map[Language]func(dir string) (*Project, string, error){
	Custom: findBootstrap, Python: findPython, NodeJS: findNode, Go: findGo,
}

func findBootstrap(dir string) (*Project, string, error) {
	info, err := os.Stat(filepath.Join(dir, "bootstrap"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	if info.Mode()&0o111 == 0 {
		return nil, "bootstrap is there, but not executable (chmod +x bootstrap)", nil
	}
	return &Project{Handler: "bootstrap", Why: "there is an executable bootstrap"}, "", nil
}

// pythonFiles are looked at first, in this order; then all others at the top.
var pythonFiles = []string{"lambda_function.py", "app.py", "main.py", "handler.py", "index.py"}

// A handler is defined at the top level of a module: a function, or anything
// callable that is assigned.
var pythonHandler = regexp.MustCompile(`(?m)^(?:def[ \t]+(lambda_handler|handler)[ \t]*\(|(lambda_handler|handler)[ \t]*(?::[^=\n]+)?=[^=])`)

func findPython(dir string) (*Project, string, error) {
	all, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.py"))
	if err != nil {
		return nil, "", err
	}
	var files []string
	for _, name := range pythonFiles {
		if slices.Contains(all, filepath.Join(dir, name)) {
			files = append(files, name)
		}
	}
	for _, path := range all {
		if name := filepath.Base(path); !slices.Contains(files, name) {
			files = append(files, name)
		}
	}
	for _, name := range files {
		source, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, "", err
		}
		if m := pythonHandler.FindSubmatch(source); m != nil {
			handler := string(m[1]) + string(m[2]) // one of them is empty
			return &Project{
				Handler: strings.TrimSuffix(name, ".py") + "." + handler,
				Why:     name + " defines " + handler,
			}, "", nil
		}
	}
	if len(files) > 0 {
		return nil, files[0] + " has no function lambda_handler or handler at its top level (say which one to call: --handler)", nil
	}
	return nil, "", nil
}

// escapeGlob makes a pattern that matches exactly s.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

var nodeFiles = []string{"index.mjs", "index.js", "index.cjs", "app.mjs", "app.js", "app.cjs", "handler.mjs", "handler.js", "handler.cjs", "main.mjs", "main.js"}

// What a module exports, in the ways of CommonJS and of ES modules, also as
// bundlers write it.
var nodeHandler = regexp.MustCompile(`(?m)\bexports\.(handler|lambdaHandler)\s*=` +
	`|^\s*export\s+(?:async\s+)?(?:function|const|let|var)\s+(handler|lambdaHandler)\b` +
	`|\bexport\s*\{[^}]*\b(handler|lambdaHandler)\b[^}]*\}` +
	`|\bmodule\.exports\s*=\s*\{[^}]*\b(handler|lambdaHandler)\b`)

func findNode(dir string) (*Project, string, error) {
	files := nodeFiles
	main, err := packageMain(dir)
	if err != nil {
		return nil, "", err
	}
	if main != "" {
		files = append([]string{main}, files...)
	}
	first := ""
	for _, name := range files {
		source, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if first == "" {
			first = name
		}
		if m := nodeHandler.FindSubmatch(source); m != nil {
			handler := ""
			for _, group := range m[1:] {
				handler += string(group) // all but one are empty
			}
			return &Project{
				Handler: strings.TrimSuffix(name, filepath.Ext(name)) + "." + handler,
				Why:     name + " exports " + handler,
			}, "", nil
		}
	}
	if first != "" {
		return nil, first + " does not export handler (say which function to call: --handler)", nil
	}
	if ts, _ := filepath.Glob(filepath.Join(escapeGlob(dir), "*.ts")); len(ts) > 0 {
		return nil, filepath.Base(ts[0]) + " is TypeScript: compile it and deploy the directory that the compiler writes to", nil
	}
	return nil, "", nil
}

// packageMain returns the main of package.json, or "".
func packageMain(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var pkg struct {
		Main string `json:"main"`
	}
	if err := json.Unmarshal(b, &pkg); err != nil {
		return "", fmt.Errorf("package.json: %w", err)
	}
	if pkg.Main == "" || !filepath.IsLocal(pkg.Main) {
		return "", nil
	}
	if main := filepath.Clean(pkg.Main); filepath.Ext(main) != "" {
		return main, nil
	}
	return filepath.Clean(pkg.Main) + ".js", nil
}

var goMain = regexp.MustCompile(`(?m)^package main\b`)

func findGo(dir string) (*Project, string, error) {
	files, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.go"))
	if err != nil {
		return nil, "", err
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, "", err
		}
		if goMain.Match(source) {
			return &Project{Handler: "bootstrap", Why: filepath.Base(path) + " is a Go program"}, "", nil
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return nil, "go.mod is there, but no Go program (package main) in this directory; name the one that has it", nil
	}
	return nil, "", nil
}
