package project

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestIgnorePatterns(t *testing.T) {
	for _, test := range []struct {
		patterns string
		path     string
		want     bool
	}{
		{"*.log", "a.log", true},
		{"*.log", "x/y/a.log", true},
		{"*.log", "a.logs", false},
		{"/a.log", "a.log", true},
		{"/a.log", "x/a.log", false},
		{"x/*.log", "x/a.log", true},
		{"x/*.log", "x/y/a.log", false},
		{"x/*.log", "z/x/a.log", false},
		{"**/x/a", "p/q/x/a", true},
		{"x/**", "x/y/z", true},
		{"x/**", "x", false},
		{"x/**/z", "x/z", true},
		{"x/**/z", "x/p/q/z", true},
		{"build/", "build", false}, // a file
		{"file?.txt", "file1.txt", true},
		{"file[0-9].txt", "file7.txt", true},
		{"file[!0-9].txt", "file7.txt", false},
		{"[]x]", "]", true},
		{`\#x`, "#x", true},
		{`\!x`, "!x", true},
		{"# x", "# x", false},
		{"x   ", "x", true},
		{`x\ `, "x ", true},
		{"*.txt\n!keep.txt", "keep.txt", false},
		{"*.txt\n!keep.txt", "lose.txt", true},
		{"a.b", "axb", false},
		{"", "x", false},
	} {
		l, err := parseIgnores([]byte(test.patterns))
		if err != nil {
			t.Errorf("%q: %v", test.patterns, err)
			continue
		}
		if got := l.ignored(test.path, false); got != test.want {
			t.Errorf("%q and %q: %v, want %v", test.patterns, test.path, got, test.want)
		}
	}
	if l, err := parseIgnores([]byte("build/")); err != nil || !l.ignored("build", true) || !l.ignored("x/build", true) {
		t.Errorf("build/ does not match a directory: %v", err)
	}
}

func TestIgnoreRefusesWhatNobodyMeans(t *testing.T) {
	for _, text := range []string{"a[b", `a\`, "[z-a]"} {
		if _, err := parseIgnores([]byte(text)); err == nil || !strings.Contains(err.Error(), `"`) {
			t.Errorf("%q: %v, want an error that names it", text, err)
		}
	}
}

// Git compares what stands before the first wildcard on its own and so takes
// a**/ for **/ after an a, against its manual: two asterisks mean something
// only as a whole path element.
var quirk = regexp.MustCompile(`[^/!\n]\*\*`)

// git is the judge of what its patterns mean.
func TestIgnoreAgreesWithGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git")
	}
	dir := t.TempDir()
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.StringMatching(`!?/?(a|b|\*|\?|\*\*/|/|\[ab\]|\[!a\]|\\a|\.){1,6}/?`), 1, 3).Draw(t, "patterns"), "\n")
		if quirk.MatchString(text) {
			return
		}
		path := rapid.StringMatching(`[ab.][ab]{1,2}(/[ab]{1,3}){0,3}`).Draw(t, "path")
		l, err := parseIgnores([]byte(text))
		if err != nil {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, ".git", "info", "exclude"), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		git := exec.Command("git", "-C", dir, "check-ignore", "--no-index", "-q", "--", path)
		var stderr bytes.Buffer
		git.Stderr = &stderr
		var exit *exec.ExitError
		if err := git.Run(); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
			t.Fatalf("git: %v: %s", err, stderr.String())
		}
		want := git.ProcessState.ExitCode() == 0
		got := false // as the walk does: what is in an ignored directory is never looked at
		parts := strings.Split(path, "/")
		for i := range parts {
			got = got || l.ignored(strings.Join(parts[:i+1], "/"), i < len(parts)-1)
		}
		if got != want {
			t.Fatalf("%q with the patterns\n%s\nis ignored: %v; git says %v", path, text, got, want)
		}
	})
}

func FuzzParseIgnores(f *testing.F) {
	for _, s := range []string{"*.log\n!x", "a/**/b", "[!a-z]", `\`, "[[]", "/", "**"} {
		f.Add([]byte(s), "a/b")
	}
	f.Fuzz(func(_ *testing.T, text []byte, path string) {
		if l, err := parseIgnores(text); err == nil {
			l.ignored(path, false)
		}
	})
}
