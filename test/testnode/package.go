package testnode

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// File is one entry of a package.
type File struct {
	Name    string
	Content []byte
	Mode    fs.FileMode // 0 stands for 0644
}

// Zip packs files as a function's code.
func Zip(files ...File) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range files {
		header := &zip.FileHeader{Name: f.Name, Method: zip.Deflate}
		header.SetMode(f.Mode)
		if f.Mode == 0 {
			header.SetMode(0o644)
		}
		entry, err := w.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := entry.Write(f.Content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Tree reads a directory as the files of a package, under prefix.
func Tree(dir, prefix string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files = append(files, File{Name: filepath.ToSlash(filepath.Join(prefix, name)), Content: content, Mode: info.Mode().Perm()})
		return nil
	})
	return files, err
}

// Compile builds a Go program of this repository as a custom runtime's
// bootstrap, and packs it.
func Compile(pkg string) ([]byte, error) {
	root, err := Repository()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "hearth-bootstrap-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	bootstrap := filepath.Join(dir, "bootstrap")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-tags=lambda.norpc", "-o", bootstrap, pkg)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	content, err := os.ReadFile(bootstrap)
	if err != nil {
		return nil, err
	}
	return Zip(File{Name: "bootstrap", Content: content, Mode: 0o755})
}
