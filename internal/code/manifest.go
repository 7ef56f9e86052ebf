package code

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// manifestFormat is changed with the meaning of what a manifest says: packages
// with another are unpacked again.
const manifestFormat = 2

// manifest describes an unpacked package, so that damage can be told. It is
// the last thing written: a directory without one is half done.
type manifest struct {
	Format int `json:"format"`
	// Boot is the boot of the machine it was written under: what was not
	// synced may be missing its contents after another.
	Boot  string         `json:"boot"`
	Bytes int64          `json:"bytes"` // on disk, about, without shared files
	Items []manifestItem `json:"items"`
}

type manifestItem struct {
	Name   string      `json:"name"`
	Mode   fs.FileMode `json:"mode"`
	Size   int64       `json:"size,omitempty"`
	MTime  int64       `json:"mtime,omitempty"`  // of a file, seconds since 1970
	Sum    string      `json:"sum,omitempty"`    // of a file's contents: SHA-256 in hex
	Copy   bool        `json:"copy,omitempty"`   // of a file: the package's own, not shared
	Target string      `json:"target,omitempty"` // of a link
}

// shared tells whether it is a file of the file store.
func (i *manifestItem) shared() bool { return i.Mode.IsRegular() && !i.Copy }

// key is a file's name in the file store.
func (i *manifestItem) key() (fileKey, error) {
	k := fileKey{mode: i.Mode, mtime: i.MTime}
	sum, err := hex.DecodeString(i.Sum)
	if err != nil || len(sum) != len(k.sum) {
		return k, fmt.Errorf("%s: %q is no SHA-256", i.Name, i.Sum)
	}
	copy(k.sum[:], sum)
	return k, nil
}

// compare tells whether what is below dest is what m describes. The contents
// are read of those files that read says so of. The error says what differs.
func (m *manifest) compare(ctx context.Context, dest string, read func(*manifestItem, fs.FileInfo) bool) (err error) {
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
		case item.Mode.IsRegular() && read(item, info):
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
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != item.Sum {
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
	if err := json.Unmarshal(b, m); err != nil {
		return nil, err
	}
	if m.Format != manifestFormat {
		return nil, fmt.Errorf("%s has format %d, and this version writes %d", name, m.Format, manifestFormat)
	}
	return m, nil
}
