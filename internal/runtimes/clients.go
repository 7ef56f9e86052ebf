package runtimes

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed clients/python/*.py clients/python/hearth_runtime/*.py clients/nodejs/*.cjs clients/nodejs/warm
var clients embed.FS

// installClients writes the runtime clients under root and returns their
// directory, which has one directory a family. Its name is a fingerprint of the
// content, so that a newer Hearth doesn't change files under the environments
// of an older one, and what is there is complete.
func installClients(root string) (string, error) {
	files, sum, err := embeddedClients()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, sum)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("runtime clients: %w", err)
	}
	tmp, err := os.MkdirTemp(root, "tmp-")
	if err != nil {
		return "", fmt.Errorf("runtime clients: %w", err)
	}
	defer os.RemoveAll(tmp) // fails harmlessly once renamed
	for name, data := range files {
		if err := writePublic(filepath.Join(tmp, name), data); err != nil {
			return "", fmt.Errorf("runtime clients: %w", err)
		}
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", fmt.Errorf("runtime clients: %w", err)
	}
	// Another process may have been faster; its files are the same.
	if err := os.Rename(tmp, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("runtime clients: %w", err)
	}
	return dir, nil
}

// embeddedClients returns the files by their path under the clients directory,
// and a fingerprint of all.
func embeddedClients() (map[string][]byte, string, error) {
	files := map[string][]byte{}
	hash := sha256.New()
	root, err := fs.Sub(clients, "clients")
	if err != nil {
		return nil, "", err
	}
	err = fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		files[path] = data
		fmt.Fprintf(hash, "%s %d\n", path, len(data))
		hash.Write(data)
		return nil
	})
	return files, hex.EncodeToString(hash.Sum(nil)[:8]), err
}

// writePublic writes a file, and its directory, for everybody to read, whatever
// the umask.
func writePublic(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	return os.Chmod(path, 0o644)
}
