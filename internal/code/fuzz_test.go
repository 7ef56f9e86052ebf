package code

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzIntake: whatever the bytes, the intake refuses them as invalid or they
// unpack without an error, stay within their directory and the limits, and
// every link leads inside.
func FuzzIntake(f *testing.F) {
	sym := fs.ModeSymlink | 0o777
	f.Add(archive(f, item{name: "index.py", body: "x", mode: 0o644}))
	f.Add(archive(f, item{name: "a/b/c", body: strings.Repeat("x", 500)}, item{name: "a/l", body: "b/c", mode: sym}))
	f.Add(archive(f, item{name: "a/s", body: "..", mode: sym}, item{name: "a/t", body: "s/../x", mode: sym}))
	f.Add(archive(f, item{name: "../x", body: "y"}))
	f.Add(declaring(f, 1000, 10))
	l := Limits{MaxZipped: 1 << 20, MaxUnzipped: 1 << 20, MaxEntries: 100}
	f.Fuzz(func(t *testing.T, z []byte) {
		err := check(z, l)
		var invalid *InvalidError
		if errors.As(err, &invalid) {
			return
		}
		if err != nil {
			t.Fatalf("neither accepted nor refused: %v", err)
		}
		top := t.TempDir()
		dest := filepath.Join(top, "outer", "task")
		if err := os.MkdirAll(dest, 0o700); err != nil {
			t.Fatal(err)
		}
		defer removeAll(dest) //nolint:errcheck // the test's directory goes anyway
		c, err := inspect(bytes.NewReader(z), int64(len(z)), l)
		if err != nil {
			t.Fatal(err)
		}
		m, err := unpack(context.Background(), c, dest, ownCopy)
		if err != nil {
			t.Fatalf("accepted, and yet: %v", err)
		}
		if err := m.compare(context.Background(), dest, readAll); err != nil {
			t.Fatal(err)
		}
		var total int64
		for _, d := range []string{top, filepath.Join(top, "outer")} {
			if names, err := os.ReadDir(d); err != nil || len(names) != 1 {
				t.Fatalf("something was written beside the directory: %v, %v", names, err)
			}
		}
		err = filepath.WalkDir(dest, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			switch {
			case info.Mode().IsRegular():
				total += info.Size()
			case info.Mode().Type() == fs.ModeSymlink:
				if to, err := filepath.EvalSymlinks(p); err == nil && to != dest && !strings.HasPrefix(to, dest+"/") {
					t.Fatalf("%s leads to %s", p, to)
				}
			case !info.IsDir():
				t.Fatalf("%s is a %v", p, info.Mode())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if total > l.MaxUnzipped {
			t.Fatalf("%d bytes unpacked", total)
		}
	})
}
