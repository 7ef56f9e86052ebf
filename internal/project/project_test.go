package project

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// files makes a directory; a name ending in * is executable, content that
// begins with -> makes a link.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		name, executable := strings.CutSuffix(name, "*")
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		mode := fs.FileMode(0o644)
		if executable {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOpenGuesses(t *testing.T) {
	const python, node = "def handler(event, context):\n    pass\n", "exports.handler = async () => 1\n"
	for name, test := range map[string]struct {
		files    map[string]string
		hints    Hints
		language Language
		handler  string
	}{
		"Lambda's own file name": {
			files:    map[string]string{"lambda_function.py": "import json\n\ndef lambda_handler(event, context):\n    return 1\n"},
			language: Python, handler: "lambda_function.lambda_handler",
		},
		"app.py":                                  {files: map[string]string{"app.py": python}, language: Python, handler: "app.handler"},
		"main.py":                                 {files: map[string]string{"main.py": python}, language: Python, handler: "main.handler"},
		"handler.py":                              {files: map[string]string{"handler.py": python}, language: Python, handler: "handler.handler"},
		"another file of Python":                  {files: map[string]string{"setup.py": "x = 1\n", "greet.py": python}, language: Python, handler: "greet.handler"},
		"the file that has a handler":             {files: map[string]string{"app.py": "x = 1\n", "main.py": python}, language: Python, handler: "main.handler"},
		"a handler that is assigned":              {files: map[string]string{"main.py": "handler = Mangum(app)\n"}, language: Python, handler: "main.handler"},
		"a handler that is assigned with a type":  {files: map[string]string{"main.py": "handler: Handler = make()\n"}, language: Python, handler: "main.handler"},
		"Python beside a package.json of tooling": {files: map[string]string{"app.py": python, "package.json": `{}`}, language: Python, handler: "app.handler"},
		"index.js":                                {files: map[string]string{"index.js": node}, language: NodeJS, handler: "index.handler"},
		"index.mjs":                               {files: map[string]string{"index.mjs": "export const handler = async (event) => event\n"}, language: NodeJS, handler: "index.handler"},
		"a function that is exported":             {files: map[string]string{"app.js": "export async function handler(event) {}\n"}, language: NodeJS, handler: "app.handler"},
		"SAM's name for the handler":              {files: map[string]string{"app.mjs": "export const lambdaHandler = async () => 1\n"}, language: NodeJS, handler: "app.lambdaHandler"},
		"a list of exports":                       {files: map[string]string{"index.mjs": "const h = 1;\nexport { h as other,\n  handler };\n"}, language: NodeJS, handler: "index.handler"},
		"an object of exports":                    {files: map[string]string{"index.js": "module.exports = {\n  handler,\n}\n"}, language: NodeJS, handler: "index.handler"},
		"what esbuild writes":                     {files: map[string]string{"index.js": "0 && (module.exports = {\n  handler\n});\n"}, language: NodeJS, handler: "index.handler"},
		"module.exports.handler":                  {files: map[string]string{"index.js": "module.exports.handler = f\n"}, language: NodeJS, handler: "index.handler"},
		"the main of package.json": {
			files:    map[string]string{"package.json": `{"main": "./dist/serve.js"}`, "dist/serve.js": node, "index.js": node},
			language: NodeJS, handler: "dist/serve.handler",
		},
		"a main without extension": {files: map[string]string{"package.json": `{"main": "lib/x"}`, "lib/x.js": node}, language: NodeJS, handler: "lib/x.handler"},
		"a main that leads out":    {files: map[string]string{"package.json": `{"main": "../x.js"}`, "index.js": node}, language: NodeJS, handler: "index.handler"},
		"a bootstrap":              {files: map[string]string{"bootstrap*": "#!/bin/sh\n"}, language: Custom, handler: "bootstrap"},
		"a bootstrap beside its source": {
			files:    map[string]string{"bootstrap*": "#!/bin/sh\n", "main.go": "package main\n"},
			language: Custom, handler: "bootstrap",
		},
		"a Go program":                       {files: map[string]string{"go.mod": "module x\n", "main.go": "// X.\npackage main\n"}, language: Go, handler: "bootstrap"},
		"a Go program inside another module": {files: map[string]string{"main.go": "package main\n"}, language: Go, handler: "bootstrap"},
		"a handler as the user says":         {files: map[string]string{"app.py": python}, hints: Hints{Handler: "app.other"}, language: Python, handler: "app.other"},
		"a runtime as the user says": {
			files: map[string]string{"app.py": python, "index.js": node}, hints: Hints{Runtime: "nodejs20.x"},
			language: NodeJS, handler: "index.handler",
		},
		"both as the user says": {
			files: map[string]string{"odd.txt": ""}, hints: Hints{Runtime: "python3.12", Handler: "pkg.mod.run"},
			language: Python, handler: "pkg.mod.run",
		},
		"a runtime nobody here knows": {
			files: map[string]string{"App.class": ""}, hints: Hints{Runtime: "java21", Handler: "example.App::handle"},
			language: Other, handler: "example.App::handle",
		},
		"provided, to be compiled": {
			files: map[string]string{"main.go": "package main\n"}, hints: Hints{Runtime: "provided.al2023"},
			language: Go, handler: "bootstrap",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Open(files(t, test.files), test.hints)
			if err != nil {
				t.Fatal(err)
			}
			if p.Language != test.language || p.Handler != test.handler {
				t.Errorf("%s with %s (%s), want %s with %s", p.Language, p.Handler, p.Why, test.language, test.handler)
			}
			if p.Why == "" {
				t.Error("it doesn't say why")
			}
		})
	}
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		hints Hints
		want  string
	}{
		"nothing there":            {files: nil, want: "no executable bootstrap"},
		"no handler in Python":     {files: map[string]string{"app.py": "    def handler(): pass\n# handler = 1\nhandler == 1\n"}, want: "app.py has no function lambda_handler"},
		"no handler in Node.js":    {files: map[string]string{"index.js": "const handler = 1\n"}, want: "index.js does not export handler"},
		"TypeScript":               {files: map[string]string{"index.ts": "export const handler = 1\n"}, want: "TypeScript: compile it"},
		"a bootstrap without bits": {files: map[string]string{"bootstrap": "#!/bin/sh\n"}, want: "chmod +x bootstrap"},
		"a Go library":             {files: map[string]string{"go.mod": "module x\n", "x.go": "package x\n", "x_test.go": "package main\n"}, want: "no Go program"},
		"two languages": {
			files: map[string]string{"app.py": "def handler(e, c): pass\n", "index.js": "exports.handler = 1\n"},
			want:  "app.py defines handler, and index.js exports handler; say which runtime",
		},
		"an unknown runtime without handler": {files: map[string]string{"x": ""}, hints: Hints{Runtime: "java21"}, want: "--handler"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(files(t, test.files), test.hints)
			var unknown *UnknownError
			if !errors.As(err, &unknown) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something with %q", err, test.want)
			}
		})
	}
	t.Run("a file", func(t *testing.T) {
		if _, err := Open(filepath.Join(files(t, map[string]string{"app.py": ""}), "app.py"), Hints{}); err == nil || !strings.Contains(err.Error(), "not a directory") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no such directory", func(t *testing.T) {
		if _, err := Open(filepath.Join(t.TempDir(), "none"), Hints{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a package.json that is none", func(t *testing.T) {
		if _, err := Open(files(t, map[string]string{"package.json": "{", "index.js": ""}), Hints{}); err == nil || !strings.Contains(err.Error(), "package.json") {
			t.Errorf("got %v", err)
		}
	})
}

func TestRuntimeIsTheNewestThatIsServed(t *testing.T) {
	served := []string{"python3.9", "python3.11", "nodejs8.10", "nodejs20.x", "provided"}
	for _, test := range []struct {
		project Project
		served  []string
		want    string
	}{
		{Project{Language: Python}, served, "python3.11"},
		{Project{Language: NodeJS}, served, "nodejs20.x"},
		{Project{Language: Python}, nil, defaultPython},
		{Project{Language: Go}, served, "provided.al2023"},
		{Project{Language: Custom}, nil, "provided.al2023"},
		{Project{Language: Python, runtime: "python3.8"}, served, "python3.8"},
	} {
		if got := test.project.Runtime(test.served); got != test.want {
			t.Errorf("%s among %v: %s, want %s", test.project.Language, test.served, got, test.want)
		}
	}
}

func TestName(t *testing.T) {
	for dir, want := range map[string]string{
		"/src/hello":                      "hello",
		"/src/my function (v2)":           "my-function-v2",
		"/src/" + strings.Repeat("x", 70): strings.Repeat("x", 64),
		"/":                               "function",
		"/src/größe":                      "gr-e",
	} {
		if got := (&Project{Dir: dir}).Name(); got != want {
			t.Errorf("%s: %q, want %q", dir, got, want)
		}
	}
}

func TestSuits(t *testing.T) {
	python := Project{Language: Python, Dir: files(t, map[string]string{"app.py": "", "pkg/mod.py": "", "other/__init__.py": ""})}
	node := Project{Language: NodeJS, Dir: files(t, map[string]string{"index.mjs": "", "lib/x.js": ""})}
	for _, test := range []struct {
		project          Project
		runtime, handler string
		want             bool
	}{
		{python, "python3.9", "app.handler", true},
		{python, "python3.9", "pkg.mod.handler", true},
		{python, "python3.9", "pkg/mod.handler", true},
		{python, "python3.9", "other.handler", true},
		{python, "python3.9", "gone.handler", false},
		{python, "python3.9", "handler", false},
		{python, "python3.9", "....handler", false},
		{python, "nodejs20.x", "app.handler", false},
		{node, "nodejs20.x", "index.handler", true},
		{node, "nodejs20.x", "lib/x.handler", true},
		{node, "nodejs20.x", "app.handler", false},
		{Project{Language: Go}, "provided.al2", "anything", true},
	} {
		if got := test.project.Suits(test.runtime, test.handler); got != test.want {
			t.Errorf("%s, %s: %v, want %v", test.runtime, test.handler, got, test.want)
		}
	}
}
