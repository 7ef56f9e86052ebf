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
