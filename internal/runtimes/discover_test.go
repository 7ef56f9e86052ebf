package runtimes

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthd/hearth/internal/sandbox"
)

// install puts a program that tells t of itself where an interpreter is looked
// for, and returns its path.
func install(t *testing.T, prefix, name, version string, libraries ...string) string {
	t.Helper()
	path := filepath.Join(prefix, "bin", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	var quoted []string
	for _, l := range libraries {
		quoted = append(quoted, fmt.Sprintf("%q", l))
	}
	says := fmt.Sprintf(`{"version":%q,"path":%q,"prefix":%q,"libraries":[%s]}`, version, path, prefix, strings.Join(quoted, ","))
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+says+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// discover looks in prefixes, and at nothing of the machine but its standard root.
func discover(t *testing.T, log *bytes.Buffer, prefixes ...string) *Set {
	t.Helper()
	t.Setenv("PATH", "/usr/bin:/bin")
	t.Setenv("HOME", t.TempDir())
	set, err := Discover(context.Background(), Options{ClientDir: t.TempDir(), Prefixes: prefixes, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func find(t *testing.T, set *Set, name string) Runtime {
	t.Helper()
	rt, exact, err := set.For(name)
	if err != nil || !exact {
		t.Fatalf("%s: %v (exact: %v)", name, err, exact)
	}
	return rt
}

func TestDiscoverPrefixes(t *testing.T) {
	prefix := t.TempDir()
	old := install(t, filepath.Join(prefix, "a"), "python3.77", "3.77.1")
	install(t, filepath.Join(prefix, "b"), "python3", "3.77.12")
	library := filepath.Join(prefix, "lib", "libssl.so.3")
	if err := os.MkdirAll(filepath.Dir(library), 0o755); err != nil {
		t.Fatal(err)
	}
	node := install(t, filepath.Join(prefix, "c"), "node", "99.1.0", library, "/usr/lib/libc.so.6", filepath.Join(prefix, "c/lib/libnode.so"))
	if err := os.MkdirAll(filepath.Join(prefix, "c/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	install(t, filepath.Join(prefix, "d"), "python3.7", "3.7.16")
	install(t, filepath.Join(prefix, "e"), "nodejs", "14.21.3")
	install(t, filepath.Join(prefix, "f"), "python3.78-config", "3.78.0")
	private := install(t, filepath.Join(prefix, "g"), "python3.79", "3.79.0")
	if err := os.Chmod(filepath.Join(prefix, "g"), 0o700); err != nil {
		t.Fatal(err)
	}

	var log bytes.Buffer
	set := discover(t, &log, filepath.Join(prefix, "*"))

	rt := find(t, set, "python3.77")
	if rt.Version != "3.77.12" || rt.Path == old {
		t.Errorf("not the newest of one version: %+v", rt)
	}
	rt = find(t, set, "nodejs99.x")
	want := []sandbox.Mount{
		{Source: filepath.Join(prefix, "c"), Target: filepath.Join(prefix, "c")},
		{Source: filepath.Join(prefix, "lib"), Target: filepath.Join(prefix, "lib")},
	}
	if rt.Path != node || fmt.Sprint(rt.Mounts) != fmt.Sprint(want) {
		t.Errorf("got %+v, want mounts %v", rt, want)
	}
	for _, rt := range set.List() {
		if rt.Version == "3.7.16" || rt.Version == "14.21.3" || rt.Version == "3.78.0" || rt.Version == "3.79.0" {
			t.Errorf("found %+v", rt)
		}
	}
	for _, part := range []string{"python3.7 is older than python3.8", "nodejs14.x is older than nodejs16.x", private, "others may not read it"} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log doesn't say %q:\n%s", part, log.String())
		}
	}
}

// A shim chooses a version at each start; what counts is what it chooses from.
func TestDiscoverShims(t *testing.T) {
	root := t.TempDir()
	install(t, filepath.Join(root, "versions", "3.77.1"), "python3", "3.77.1")
	install(t, filepath.Join(root, "versions", "3.78.0"), "python3", "3.78.0")
	shims := filepath.Join(root, "shims")
	if err := os.MkdirAll(shims, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(shims, "python3"), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", shims+":/usr/bin:/bin")
	t.Setenv("HOME", t.TempDir())
	var log bytes.Buffer
	set, err := Discover(context.Background(), Options{ClientDir: t.TempDir(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	find(t, set, "python3.77")
	find(t, set, "python3.78")
	if strings.Contains(log.String(), shims) {
		t.Errorf("the shim itself was run:\n%s", log.String())
	}
}

func TestDiscoverWritesClientsOnce(t *testing.T) {
	dir := t.TempDir()
	first, err := installClients(dir)
	if err != nil {
		t.Fatal(err)
	}
	marker := filepath.Join(first, "marker")
	if err := os.WriteFile(marker, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	second, err := installClients(dir)
	if err != nil || second != first {
		t.Fatalf("%s, then %s (%v)", first, second, err)
	}
	if _, err := os.Stat(marker); err != nil {
		t.Error("complete clients were written again")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
	err = filepath.Walk(first, func(path string, fi os.FileInfo, err error) error {
		if err == nil && fi.Mode().Perm()&0o004 == 0 {
			t.Errorf("%s has mode %v: the user of an environment can't read it", path, fi.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestMountsFor(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "inner")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	mounts, err := mountsFor([]string{"/usr/local", "/", "/lib/x", inner, dir + "/", dir, "/etc"})
	if err != nil || len(mounts) != 1 || mounts[0] != (sandbox.Mount{Source: dir, Target: dir}) {
		t.Errorf("%v, %v", mounts, err)
	}
	if _, err := mountsFor([]string{filepath.Join(dir, "missing")}); err == nil {
		t.Error("a directory that isn't there can be mounted")
	}
}
