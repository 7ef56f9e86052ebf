// Package architecture compares ARCHITECTURE.md with the code, so that the
// page that newcomers read first cannot become untrue unnoticed.
package architecture

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hearthd/hearth/"

// Imports point downwards in the list of rooms only, and the list is complete.
func TestImportsPointDownwards(t *testing.T) {
	rooms := readRooms(t)
	rank := func(pkg string) int {
		return slices.IndexFunc(rooms, func(room string) bool { return pkg == room || strings.HasPrefix(pkg, room+"/") })
	}
	found := map[string]bool{}
	for _, p := range packages(t) {
		pkg := strings.TrimPrefix(p.ImportPath, module)
		if !strings.HasPrefix(pkg, "internal/") && !strings.HasPrefix(pkg, "cmd/") {
			continue
		}
		from := rank(pkg)
		if from < 0 {
			t.Errorf("%s is in no room of ARCHITECTURE.md", pkg)
			continue
		}
		found[rooms[from]] = true
		for _, imported := range p.Imports {
			other, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			if to := rank(other); to >= 0 && to < from {
				t.Errorf("%s imports %s, a room above it", pkg, other)
			}
		}
	}
	for _, room := range rooms {
		if !found[room] {
			t.Errorf("ARCHITECTURE.md names %s, which is not there", room)
		}
	}
}

// readRooms returns the first column of the page's table of rooms.
func readRooms(t testing.TB) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "<!-- rooms:")
	table, _, _ := strings.Cut(rest, "<!-- /rooms -->")
	var rooms []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(table, -1) {
		rooms = append(rooms, m[1])
	}
	if len(rooms) < 10 {
		t.Fatalf("the table of rooms has %v only", rooms)
	}
	return rooms
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t testing.TB) []goPackage {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...")
	list.Dir = filepath.Join("..", "..")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p goPackage
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}
