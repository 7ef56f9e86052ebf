package project

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// contents lists a zip: name and, for each, mode and content.
func contents(t *testing.T, p *Package) map[string]string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(p.Zip), int64(len(p.Zip)))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		got[f.Name] = f.Mode().String() + " " + string(b)
	}
	return got
}

func packed(t *testing.T, dir string) *Package {
	t.Helper()
	p := Project{Dir: dir, Language: Python}
	pkg, err := p.Package(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

func TestPackage(t *testing.T) {
	pkg := packed(t, files(t, map[string]string{
		"app.py":                    "code",
		"run.sh*":                   "script",
		"pkg/deep/data.txt":         "data",
		"pkg/link":                  "-> deep/data.txt",
		"node_modules/x/index.js":   "dependency",
		".git/HEAD":                 "ref",
		"__pycache__/app.pyc":       "cache",
		"pkg/__pycache__/x.pyc":     "cache",
		"pkg/y.pyc":                 "cache",
		"tests/test_app.py":         "test",
		"notes.md":                  "notes",
		"important.md":              "kept",
		".hearthignore":             "/tests/\n*.md\n!important.md\n",
		".gitignore":                "node_modules/\n",
		"with space and ümlaut.txt": "odd",
	}))
	want := map[string]string{
		"app.py":                    "-rw-r--r-- code",
		"run.sh":                    "-rwxr-xr-x script",
		"pkg/deep/data.txt":         "-rw-r--r-- data",
		"pkg/link":                  "Lrwxrwxrwx deep/data.txt",
		"node_modules/x/index.js":   "-rw-r--r-- dependency",
		"important.md":              "-rw-r--r-- kept",
		".gitignore":                "-rw-r--r-- node_modules/\n",
		"with space and ümlaut.txt": "-rw-r--r-- odd",
	}
	if diff := cmp.Diff(want, contents(t, pkg)); diff != "" {
		t.Error(diff)
	}
	if pkg.Files != len(want) || pkg.Unpacked == 0 || len(pkg.SHA256) != 44 {
		t.Errorf("%d files, %d bytes, sha %s", pkg.Files, pkg.Unpacked, pkg.SHA256)
	}
}

func TestPackageIsReproducible(t *testing.T) {
	content := map[string]string{"app.py": "code", "a/b": "1", "z*": "2", "l": "-> app.py"}
	one, two := files(t, content), files(t, content)
	if err := os.Chtimes(filepath.Join(two, "app.py"), time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(two, "app.py"), 0o600); err != nil {
		t.Fatal(err)
	}
	if a, b := packed(t, one), packed(t, two); a.SHA256 != b.SHA256 {
		t.Errorf("%s and %s", a.SHA256, b.SHA256)
	}
}

func TestPackageRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"an empty directory":    {map[string]string{".git/HEAD": "x"}, "no files"},
		"a link out":            {map[string]string{"a": "-> ../b"}, "outside"},
		"an absolute link":      {map[string]string{"a": "-> /etc/passwd"}, "outside"},
		"an unreadable pattern": {map[string]string{"a": "", ignoreFile: "[x"}, ignoreFile},
	} {
		t.Run(name, func(t *testing.T) {
			p := Project{Dir: files(t, test.files), Language: Python}
			if _, err := p.Package(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something with %q", err, test.want)
			}
		})
	}
	t.Run("too much", func(t *testing.T) {
		dir := files(t, map[string]string{"app.py": "", "data/x": ""})
		if err := os.Truncate(filepath.Join(dir, "data", "x"), maxUnpacked+1); err != nil {
			t.Fatal(err)
		}
		p := Project{Dir: dir, Language: Python}
		_, err := p.Package(t.Context())
		var large *TooLargeError
		if !errors.As(err, &large) || large.Largest[0] != "data (250 MB)" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a socket or the like", func(t *testing.T) {
		err := (&packer{}).add("s", fakeEntry{fs.ModeSocket})
		if err == nil || !strings.Contains(err.Error(), "neither") {
			t.Errorf("got %v", err)
		}
	})
}

type fakeEntry struct{ mode fs.FileMode }

func (fakeEntry) Name() string               { return "s" }
func (fakeEntry) IsDir() bool                { return false }
func (e fakeEntry) Type() fs.FileMode        { return e.mode }
func (fakeEntry) Info() (fs.FileInfo, error) { return nil, fs.ErrInvalid }

func TestGoProgramsAreCompiled(t *testing.T) {
	dir := files(t, map[string]string{"go.mod": "module hello\n\ngo 1.21\n", "main.go": "package main\n\nfunc main() { println(\"hi\") }\n"})
	p, err := Open(dir, Hints{})
	if err != nil {
		t.Fatal(err)
	}
	one, err := p.Package(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := contents(t, one)
	if len(got) != 1 || !strings.HasPrefix(got["bootstrap"], "-rwxr-xr-x \x7fELF") {
		t.Errorf("the package has %d files", len(got))
	}
	two, err := p.Package(t.Context())
	if err != nil || one.SHA256 != two.SHA256 {
		t.Errorf("another build differs: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { nonsense }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Package(t.Context()); err == nil || !strings.Contains(err.Error(), "main.go:3") {
		t.Errorf("got %v, want the compiler's message", err)
	}
}
