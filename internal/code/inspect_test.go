package code

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// check runs the whole intake but the storing.
func check(zip []byte, l Limits) error {
	s := &Store{limits: l.orDefaults()}
	_, err := s.Check(context.Background(), zip)
	return err
}

func TestIntakeAcceptsWhatPeopleMake(t *testing.T) {
	for name, items := range map[string][]item{
		"one file":                   {{name: "index.py", body: "x", mode: 0o644}},
		"no mode bits":               {{name: "bootstrap", body: "x"}},
		"directories of their own":   {{name: "a/", mode: fs.ModeDir | 0o755}, {name: "a/b", body: "x", mode: 0o600}},
		"implied directories":        {{name: "a/b/c", body: "x", mode: 0o600}, {name: "a/d", body: "x", mode: 0o600}},
		"directory after its file":   {{name: "a/b", body: "x", mode: 0o600}, {name: "a/", mode: fs.ModeDir | 0o755}},
		"leading ./":                 {{name: "./"}, {name: "./a", body: "x"}},
		"link to a sibling":          {{name: "a/f", body: "x"}, {name: "a/l", body: "f", mode: fs.ModeSymlink | 0o777}},
		"link up and down again":     {{name: "a/l", body: "../b/f", mode: fs.ModeSymlink | 0o777}, {name: "b/f", body: "x"}},
		"link to nothing":            {{name: "l", body: "nowhere", mode: fs.ModeSymlink | 0o777}},
		"link to the root":           {{name: "a/l", body: "..", mode: fs.ModeSymlink | 0o777}},
		"links in a circle":          {{name: "a", body: "b", mode: fs.ModeSymlink | 0o777}, {name: "b", body: "a", mode: fs.ModeSymlink | 0o777}},
		"names in any script":        {{name: "größe/日本.txt", body: "x"}},
		"names that look like flags": {{name: "-rf", body: "x"}, {name: "a b", body: "x"}, {name: "...", body: "x"}},
		"an empty file":              {{name: "__init__.py"}},
		"a stored file":              {{name: "a", body: "x", mod: func(h *zip.FileHeader) { h.Method = zip.Store }}},
		"only a directory":           {{name: "a/"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := check(archive(t, items...), Limits{}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestIntakeRefuses(t *testing.T) {
	sym := fs.ModeSymlink | 0o777
	small := Limits{MaxZipped: 8192, MaxUnzipped: 1000, MaxEntries: 10}
	flip := func(z []byte) []byte { // damage the file's data
		z = bytes.Clone(z)
		z[40] ^= 0xff
		return z
	}
	for name, tc := range map[string]struct {
		zip    []byte
		reason Reason
		says   string
	}{
		"nothing":                {nil, Empty, "Uploaded file must be a non-empty zip"},
		"no entries":             {archive(t), Empty, "Uploaded file must be a non-empty zip"},
		"text":                   {[]byte("hello, I am not a zip"), NotZip, "Could not unzip uploaded file"},
		"half a zip":             {archive(t, item{name: "a", body: "x"})[:60], NotZip, "Could not unzip uploaded file"},
		"damaged data":           {flip(archive(t, item{name: "a", body: strings.Repeat("abc", 50)})), NotZip, "Could not unzip"},
		"zip slip":               {archive(t, item{name: "../../etc/passwd", body: "x"}), BadEntry, "leads out"},
		"zip slip inside":        {archive(t, item{name: "a/../../b", body: "x"}), BadEntry, "leads out"},
		"absolute":               {archive(t, item{name: "/etc/passwd", body: "x"}), BadEntry, "absolute"},
		"only slashes":           {archive(t, item{name: "//"}), BadEntry, "absolute"},
		"a slash":                {archive(t, item{name: "/"}), BadEntry, "absolute"},
		"backslashes":            {archive(t, item{name: `..\..\evil`, body: "x"}), BadEntry, "backslash"},
		"NUL":                    {archive(t, item{name: "a\x00b", body: "x"}), BadEntry, "control character"},
		"newline":                {archive(t, item{name: "a\nb", body: "x"}), BadEntry, "control character"},
		"empty component":        {archive(t, item{name: "a//b", body: "x"}), BadEntry, "empty"},
		"dot component":          {archive(t, item{name: "a/./b", body: "x"}), BadEntry, `"."`},
		"long component":         {archive(t, item{name: strings.Repeat("n", 256), body: "x"}), BadEntry, "longer than 255"},
		"long path":              {archive(t, item{name: strings.Repeat("n/", 1100) + "n", body: "x"}), BadEntry, "longer than 2048"},
		"twice":                  {archive(t, item{name: "a", body: "x"}, item{name: "a", body: "y"}), BadEntry, "more than once"},
		"twice by ./":            {archive(t, item{name: "a", body: "x"}, item{name: "./a", body: "y"}), BadEntry, "more than once"},
		"file and directory":     {archive(t, item{name: "a", body: "x"}, item{name: "a/", mode: fs.ModeDir | 0o755}), BadEntry, "more than once"},
		"file below a file":      {archive(t, item{name: "a", body: "x"}, item{name: "a/b", body: "y"}), BadEntry, "no directory"},
		"file where a dir is":    {archive(t, item{name: "a/b", body: "x"}, item{name: "a", body: "y"}), BadEntry, "more than once"},
		"file below a link":      {archive(t, item{name: "l", body: ".", mode: sym}, item{name: "l/b", body: "y"}), BadEntry, "no directory"},
		"file, then link above":  {archive(t, item{name: "l/b", body: "y"}, item{name: "l", body: ".", mode: sym}), BadEntry, "more than once"},
		"device":                 {archive(t, item{name: "d", mode: fs.ModeDevice | fs.ModeCharDevice | 0o600}), BadEntry, "device"},
		"pipe":                   {archive(t, item{name: "d", mode: fs.ModeNamedPipe | 0o600}), BadEntry, "named pipe"},
		"socket":                 {archive(t, item{name: "d", mode: fs.ModeSocket | 0o600}), BadEntry, "socket"},
		"absolute link":          {archive(t, item{name: "l", body: "/etc/passwd", mode: sym}), BadEntry, "absolute"},
		"link out":               {archive(t, item{name: "l", body: "../x", mode: sym}), BadEntry, "out of the archive"},
		"link out from below":    {archive(t, item{name: "a/l", body: "../../x", mode: sym}), BadEntry, "out of the archive"},
		"link out by a link":     {archive(t, item{name: "a/b/s", body: "../..", mode: sym}, item{name: "a/b/l", body: "s/../../../x", mode: sym}), BadEntry, "out of the archive"},
		"empty link":             {archive(t, item{name: "l", mode: sym}), BadEntry, "empty"},
		"link with NUL":          {archive(t, item{name: "l", body: "a\x00", mode: sym}), BadEntry, "control"},
		"link with a long name":  {archive(t, item{name: "l", body: strings.Repeat("x", 300), mode: sym}), BadEntry, "255"},
		"encrypted":              {archive(t, item{name: "a", body: "x", mod: func(h *zip.FileHeader) { h.Flags |= 1 }}), BadEntry, "encrypted"},
		"too many entries":       {archive(t, manyFiles(11)...), TooLarge, "11 entries"},
		"too deep for its size":  {archive(t, item{name: "a/b/c/d/e/f/g/h/i/j/k", body: "x"}), TooLarge, "more than 10"},
		"too large unzipped":     {archive(t, item{name: "a", body: strings.Repeat("a", 600)}, item{name: "b", body: strings.Repeat("a", 600)}), TooLarge, "Unzipped size must be smaller than 1000 bytes"},
		"too large zipped":       {make([]byte, 9000), TooLarge, "Zipped size must be smaller than 8192 bytes"},
		"bomb that lies":         {declaring(t, 900_000, 10), NotZip, "Could not unzip"},
		"claims more than it is": {declaring(t, 10, 900), NotZip, "Could not unzip"},
		"claims the world":       {declaring(t, 10, 1<<32-2), TooLarge, "Unzipped size"},
	} {
		t.Run(name, func(t *testing.T) {
			err := check(tc.zip, small)
			var invalid *InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("got %v, want an InvalidError", err)
			}
			if invalid.Reason != tc.reason || !strings.Contains(invalid.Message, tc.says) {
				t.Fatalf("got reason %d, %q; want %d, ...%q...", invalid.Reason, invalid.Message, tc.reason, tc.says)
			}
		})
	}
}

func manyFiles(n int) []item {
	items := make([]item, n)
	for i := range items {
		items[i] = item{name: strings.Repeat("f", i+1)}
	}
	return items
}

func TestUnpackedFilesSuitEverybody(t *testing.T) {
	unix := func(attrs uint32) func(*zip.FileHeader) {
		return func(h *zip.FileHeader) { h.CreatorVersion, h.ExternalAttrs = 3<<8, attrs<<16 }
	}
	z := archive(t,
		item{name: "private.py", body: "x", mode: 0o600},
		item{name: "run.sh", body: "x", mode: 0o700},
		item{name: "setuid", body: "x", mode: 0o755 | fs.ModeSetuid},
		item{name: "windows.exe", body: "x"},
		item{name: "library-made", body: "x", mod: unix(0)},
		item{name: "no-permissions", body: "x", mod: unix(0o100000)},
		item{name: "d/e/f", body: "x", mode: 0o666},
		item{name: "d/l", body: "e/f", mode: fs.ModeSymlink | 0o777},
	)
	dest, _ := unpackBytes(t, z)
	for name, want := range map[string]fs.FileMode{
		"private.py": 0o444, "run.sh": 0o555, "setuid": 0o555, "windows.exe": 0o555,
		"library-made": 0o555, "no-permissions": 0o555, "d/e/f": 0o444,
		"d": fs.ModeDir | 0o555, "d/e": fs.ModeDir | 0o555, "": fs.ModeDir | 0o555,
	} {
		info, err := os.Lstat(filepath.Join(dest, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s is %v, want %v", name, info.Mode(), want)
		}
		if name != "" && info.ModTime().Unix() != 1714979290 {
			t.Errorf("%s was modified %v", name, info.ModTime())
		}
	}
	if b, err := os.ReadFile(filepath.Join(dest, "d/l")); err != nil || string(b) != "x" {
		t.Errorf("through the link: %q, %v", b, err)
	}
}

// unpackBytes unpacks an archive that must be sound, and compares.
func unpackBytes(tb testing.TB, z []byte) (dest string, m *manifest) {
	tb.Helper()
	dest = filepath.Join(tb.TempDir(), "task")
	if err := os.Mkdir(dest, 0o700); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := removeAll(dest); err != nil {
			tb.Error(err)
		}
	})
	c, err := inspect(bytes.NewReader(z), int64(len(z)), Limits{}.orDefaults())
	if err != nil {
		tb.Fatal(err)
	}
	if m, err = unpack(context.Background(), c, dest, ownCopy); err != nil {
		tb.Fatal(err)
	}
	if err := m.compare(context.Background(), dest, readAll); err != nil {
		tb.Fatal(err)
	}
	return dest, m
}
