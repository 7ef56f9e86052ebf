package code

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// manifest describes an unpacked package, so that damage can be told. It is
// the last thing written: a directory without one is half done.
type manifest struct {
	// Boot is the boot of the machine it was written under: what was not
	// synced may be missing its contents after another.
	Boot  string         `json:"boot"`
	Bytes int64          `json:"bytes"` // on disk, about
	Items []manifestItem `json:"items"`
}

type manifestItem struct {
	Name   string      `json:"name"`
	Mode   fs.FileMode `json:"mode"`
	Size   int64       `json:"size,omitempty"`
	CRC    uint32      `json:"crc,omitempty"`    // of a file's contents
	Target string      `json:"target,omitempty"` // of a link
}

// blockSize is what sizes on disk are rounded up to, and about what a name costs.
const blockSize = 4096

// unpack writes the contents of an archive below dest, an existing empty
// directory, and returns their description. It never follows a link: the
// archive was refused if anything lies below one, and [os.Root] would not
// leave dest in any case.
func unpack(ctx context.Context, c *contents, dest string) (_ *manifest, err error) {
	root, err := os.OpenRoot(dest)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	m := &manifest{Items: make([]manifestItem, 0, len(c.entries))}
	buf := make([]byte, 64<<10)
	for i := range c.entries {
		e := &c.entries[i]
		item := manifestItem{Name: e.name}
		switch e.kind {
		case dir:
			item.Mode = fs.ModeDir | 0o555
			err = root.Mkdir(e.name, 0o700) // writable until it is complete
		case file:
			item.Mode, item.Size, item.CRC = e.mode, e.size, e.zip.CRC32
			m.Bytes += (e.size + blockSize - 1) / blockSize * blockSize
			err = unpackFile(ctx, root, e, buf)
		case link:
			item.Mode, item.Target = fs.ModeSymlink, e.target
			err = root.Symlink(e.target, e.name)
		}
		if err != nil {
			return nil, fmt.Errorf("unpack %q: %w", e.name, err)
		}
		m.Items = append(m.Items, item)
		m.Bytes += blockSize
	}
	// Parents stand before what they hold, so that backwards every directory
	// is complete when its turn comes.
	for _, e := range slices.Backward(c.entries) {
		if e.kind != dir {
			continue
		}
		if err := errors.Join(root.Chtimes(e.name, e.mtime, e.mtime), root.Chmod(e.name, 0o555)); err != nil {
			return nil, fmt.Errorf("unpack %q: %w", e.name, err)
		}
	}
	return m, root.Chmod(".", 0o555)
}

func unpackFile(ctx context.Context, root *os.Root, e *entry, buf []byte) error {
	f, err := root.OpenFile(e.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	// The mode is set on the descriptor: the umask has no say.
	err = errors.Join(inflate(ctx, f, e.zip, buf), f.Chmod(e.mode), f.Close())
	if err != nil {
		return err
	}
	return root.Chtimes(e.name, e.mtime, e.mtime)
}

// unpackArchive unpacks the archive at path into dest.
func unpackArchive(ctx context.Context, archive, dest string, l Limits) (_ *manifest, err error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	c, err := inspect(f, info.Size(), l)
	if err != nil {
		return nil, err
	}
	return unpack(ctx, c, dest)
}

// compare tells whether what is below dest is what m describes; thoroughly
// means by reading the files too. The error says what differs.
func (m *manifest) compare(ctx context.Context, dest string, thoroughly bool) (err error) {
	root, err := os.OpenRoot(dest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for i := range m.Items {
		if err := ctx.Err(); err != nil {
			return err
		}
		item := &m.Items[i]
		info, err := root.Lstat(item.Name)
		if err != nil {
			return err
		}
		mode := info.Mode()
		if item.Mode&fs.ModeSymlink != 0 {
			mode = mode.Type()
		}
		if mode != item.Mode || item.Mode.IsRegular() && info.Size() != item.Size {
			return fmt.Errorf("%s is %v with %d bytes instead of %v with %d", item.Name, mode, info.Size(), item.Mode, item.Size)
		}
		switch {
		case item.Mode&fs.ModeSymlink != 0:
			target, err := root.Readlink(item.Name)
			if err != nil || target != item.Target {
				return errors.Join(err, fmt.Errorf("%s leads elsewhere", item.Name))
			}
		case thoroughly && item.Mode.IsRegular():
			if err := compareFile(root, item); err != nil {
				return err
			}
		}
	}
	return nil
}

func compareFile(root *os.Root, item *manifestItem) error {
	f, err := root.Open(item.Name)
	if err != nil {
		return err
	}
	sum := crc32.NewIEEE()
	_, err = io.Copy(sum, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if sum.Sum32() != item.CRC {
		return fmt.Errorf("%s has other contents", item.Name)
	}
	return nil
}

func writeManifest(name string, m *manifest) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o600)
}

func readManifest(name string) (*manifest, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	m := new(manifest)
	return m, json.Unmarshal(b, m)
}

// removeAll is os.RemoveAll for trees of directories that are not writable,
// which only root removes without further ado.
func removeAll(tree string) error {
	if os.Geteuid() != 0 {
		_ = filepath.WalkDir(tree, func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				return os.Chmod(p, 0o700)
			}
			return nil
		})
	}
	return os.RemoveAll(tree)
}
