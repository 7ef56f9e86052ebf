package project

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// ignoreFile has patterns of files that are not packed.
const ignoreFile = ".hearthignore"

// ignoredAlways comes before the user's patterns, which may take it back. The
// last ones are what editors make while somebody edits.
const ignoredAlways = `.git/
.hg/
.svn/
.hearthignore
.DS_Store
__pycache__/
*.pyc
.venv/
.idea/
.vscode/
*~
.*.sw?
.#*
\#*#
4913
`

// patterns are those of a .gitignore file: the last one that matches decides.
type patterns []pattern

type pattern struct {
	re      *regexp.Regexp // of the whole path
	include bool           // begins with !
	dirOnly bool           // ends with /
}

// readIgnores returns the patterns in force for a directory.
func readIgnores(dir string) (patterns, error) {
	text, err := os.ReadFile(filepath.Join(dir, ignoreFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	list, err := parseIgnores(append([]byte(ignoredAlways), text...))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ignoreFile, err)
	}
	return list, nil
}

// parseIgnores reads patterns, one a line.
func parseIgnores(text []byte) (patterns, error) {
	var list patterns
	for line := range bytes.Lines(text) {
		p, err := parsePattern(strings.TrimRight(string(line), "\r\n"))
		if err != nil {
			return nil, err
		}
		if p.re != nil {
			list = append(list, p)
		}
	}
	return list, nil
}

// parsePattern reads one line; a pattern without re stands for nothing.
func parsePattern(line string) (pattern, error) {
	var p pattern
	text := trimSpaces(line)
	if text == "" || text[0] == '#' {
		return p, nil
	}
	if text[0] == '!' {
		p.include, text = true, text[1:]
	}
	if text, p.dirOnly = strings.CutSuffix(text, "/"); text == "" {
		return pattern{}, nil
	}
	anchored := strings.Contains(text, "/")
	text = strings.TrimPrefix(text, "/")
	expr, err := expression(text)
	if err != nil {
		return p, fmt.Errorf("%q: %w", line, err)
	}
	if !anchored {
		expr = "(?:.*/)?" + expr
	}
	p.re, err = regexp.Compile(`\A(?s:` + expr + `)\z`)
	if err != nil {
		return p, fmt.Errorf("%q: %w", line, err)
	}
	return p, nil
}

// trimSpaces removes spaces at the end that no backslash protects.
func trimSpaces(s string) string {
	for strings.HasSuffix(s, " ") && !strings.HasSuffix(s, `\ `) {
		s = s[:len(s)-1]
	}
	return s
}

// expression translates a pattern to a regular expression.
func expression(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); {
		rest := s[i:]
		atStart := i == 0 || s[i-1] == '/'
		switch {
		case atStart && strings.HasPrefix(rest, "**/"):
			b.WriteString("(?:.*/)?")
			i += 3
		case atStart && rest == "**":
			b.WriteString(".+")
			i += 2
		case rest[0] == '*':
			for i < len(s) && s[i] == '*' {
				i++
			}
			b.WriteString("[^/]*")
		case rest[0] == '?':
			b.WriteString("[^/]")
			i++
		case rest[0] == '[':
			class, n, err := class(rest)
			if err != nil {
				return "", err
			}
			b.WriteString(class)
			i += n
		case rest[0] == '\\':
			if len(rest) == 1 {
				return "", errors.New("a backslash at the end escapes nothing")
			}
			b.WriteString(regexp.QuoteMeta(rest[1:2]))
			i += 2
		default:
			b.WriteString(regexp.QuoteMeta(rest[:1]))
			i++
		}
	}
	return b.String(), nil
}

// class translates the bracket expression that s begins with, of n bytes.
func class(s string) (expr string, n int, err error) {
	var b strings.Builder
	i := 1
	b.WriteByte('[')
	if i < len(s) && (s[i] == '!' || s[i] == '^') {
		b.WriteString("^/")
		i++
	}
	for first := true; ; first = false {
		switch {
		case i >= len(s):
			return "", 0, errors.New("a [ has no ]")
		case s[i] == ']' && !first:
			b.WriteByte(']')
			return b.String(), i + 1, nil
		case s[i] == '\\' && i+1 < len(s):
			b.WriteString(`\x{` + fmt.Sprintf("%x", s[i+1]) + `}`)
			i += 2
		case s[i] == '-' && !first && i+1 < len(s) && s[i+1] != ']':
			b.WriteByte('-')
			i++
		default:
			b.WriteString(`\x{` + fmt.Sprintf("%x", s[i]) + `}`)
			i++
		}
	}
}

// ignored tells whether a path, with slashes and relative to the project, is
// left out. That its parents are not is for the caller to know.
func (l patterns) ignored(path string, dir bool) bool {
	for i := len(l) - 1; i >= 0; i-- {
		if p := &l[i]; (dir || !p.dirOnly) && p.re.MatchString(path) {
			return !p.include
		}
	}
	return false
}
