package demo

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/hearthd/hearth/examples"
	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/project"
)

// example writes the example that this machine can run to a directory below
// dir: Python where there is a Python, else a runtime of its own that is
// compiled, else JavaScript.
func example(dir string, has *client.Runtimes) (*project.Project, error) {
	families := map[string]bool{}
	for _, r := range has.Runtimes {
		families[r.Family] = true
	}
	_, noGo := exec.LookPath("go")
	var name string
	switch {
	case families["python"]:
		name = "hello-python"
	case noGo == nil:
		name = "hello-custom"
	case families["nodejs"]:
		name = "hello-node"
	default:
		return nil, errors.New("there is neither Python nor Node.js nor Go on this machine; install one of them: the demo needs something to run")
	}
	files, err := fs.Sub(examples.Files, name)
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, name)
	if err := os.CopyFS(dir, files); err != nil {
		return nil, err
	}
	if name == "hello-custom" { // a module needs a name where no other is around it
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module hello\n\ngo 1.21\n"), 0o600); err != nil {
			return nil, err
		}
	}
	return project.Open(dir, project.Hints{})
}
