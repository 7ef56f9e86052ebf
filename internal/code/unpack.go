package code

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// blockSize is what sizes on disk are rounded up to, and about what a name costs.
const blockSize = 4096

// unpack writes the contents of an archive below dest, an existing empty
// directory, and returns their description. It never follows a link: the
// archive was refused if anything lies below one, and [os.Root] would not
// leave dest in any case.
//
// Each file, once it is complete, is given to share with its path and
// description: share may put another file with the same contents in its place,
// or says in the description that the package has a copy of its own.
func unpack(ctx context.Context, c *contents, dest string, share func(string, *manifestItem) error) (_ *manifest, err error) {
	root, err := os.OpenRoot(dest)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	m := &manifest{Format: manifestFormat, Items: make([]manifestItem, 0, len(c.entries))}
	buf := make([]byte, 64<<10)
	for i := range c.entries {
		e := &c.entries[i]
		item := manifestItem{Name: e.name}
		switch e.kind {
		case dir:
			item.Mode = fs.ModeDir | 0o555
			err = root.Mkdir(e.name, 0o700) // writable until it is complete
		case file:
			item.Mode, item.Size, item.MTime = e.mode, e.size, e.mtime.Unix()
			if item.Sum, err = unpackFile(ctx, root, e, buf); err == nil {
				err = share(filepath.Join(dest, e.name), &item)
			}
			if item.Copy {
				m.Bytes += blocks(e.size)
			}
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

// unpackFile returns the SHA-256 of what it wrote, in hex.
func unpackFile(ctx context.Context, root *os.Root, e *entry, buf []byte) (sum string, err error) {
	f, err := root.OpenFile(e.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	// The mode is set on the descriptor: the umask has no say.
	err = errors.Join(inflate(ctx, io.MultiWriter(f, h), e.zip, buf), f.Chmod(e.mode), f.Close())
	if err != nil {
		return "", err
	}
	mtime := time.Unix(e.mtime.Unix(), 0) // as the manifest has it
	return hex.EncodeToString(h.Sum(nil)), root.Chtimes(e.name, mtime, mtime)
}

// unpackArchive unpacks the archive at path into dest.
func unpackArchive(ctx context.Context, archive, dest string, l Limits, share func(string, *manifestItem) error) (_ *manifest, err error) {
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
	return unpack(ctx, c, dest, share)
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
