package project

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxUnpacked is Lambda's limit of a package's size, 250 MB.
const maxUnpacked = 250 << 20

// zipTime stands at every file: the earliest that a zip can say.
var zipTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Package is a zip ready to be deployed.
type Package struct {
	Zip []byte
	// SHA256 is of the zip, in base64, as CodeSha256 is in the API.
	SHA256 string
	Files  int
	// Unpacked is the size of the files together.
	Unpacked int64
}

// TooLargeError says that the files are larger than a function may be.
type TooLargeError struct {
	Dir string
	// Largest names the parts that make it so large.
	Largest []string
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s has more than %d MB, the most a function may have; the largest parts so far: %s. Leave out what the function does not need, by a file %s with patterns such as %q",
		e.Dir, maxUnpacked>>20, strings.Join(e.Largest, ", "), ignoreFile, "data/")
}

// Package compiles what must be compiled and packs the project.
func (p *Project) Package(ctx context.Context) (*Package, error) {
	if p.Language == Go {
		return p.compile(ctx)
	}
	ignores, err := readIgnores(p.Dir)
	if err != nil {
		return nil, err
	}
	return pack(ctx, p.Dir, ignores)
}

// pack makes a zip of a directory.
func pack(ctx context.Context, dir string, ignores patterns) (*Package, error) {
	var buf bytes.Buffer
	w := packer{dir: dir, zip: zip.NewWriter(&buf), parts: map[string]int64{}}
	w.zip.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestSpeed) // it stays on one machine, most of the time
	})
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		switch ignored := ignores.ignored(name, entry.IsDir()); {
		case ignored && entry.IsDir():
			return fs.SkipDir
		case ignored || entry.IsDir():
			return ctx.Err()
		}
		return w.add(name, entry)
	})
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	if w.files == 0 {
		return nil, fmt.Errorf("pack: there are no files in %s", dir)
	}
	if err := w.zip.Close(); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	sum := sha256.Sum256(buf.Bytes())
	return &Package{
		Zip: buf.Bytes(), SHA256: base64.StdEncoding.EncodeToString(sum[:]),
		Files: w.files, Unpacked: w.size,
	}, nil
}

type packer struct {
	dir   string
	zip   *zip.Writer
	files int
	size  int64
	parts map[string]int64 // size of what is at the top of dir
}

func (w *packer) add(name string, entry fs.DirEntry) error {
	switch entry.Type() {
	case 0:
		return w.addFile(name)
	case fs.ModeSymlink:
		return w.addLink(name)
	}
	return fmt.Errorf("%s is neither a file nor a directory nor a link; leave it out (%s)", name, ignoreFile)
}

func (w *packer) addFile(name string) error {
	f, err := os.Open(filepath.Join(w.dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	if err := w.count(name, info.Size()); err != nil {
		return err
	}
	out, err := w.create(name, mode)
	if err != nil {
		return err
	}
	if n, err := io.Copy(out, f); err != nil || n != info.Size() {
		return errors.Join(err, fmt.Errorf("%s changed while it was read", name))
	}
	return nil
}

// addLink packs a link as a link, if it will lead to something in the package.
func (w *packer) addLink(name string) error {
	target, err := os.Readlink(filepath.Join(w.dir, name))
	if err != nil {
		return err
	}
	target = filepath.ToSlash(target)
	if path.IsAbs(target) || !filepath.IsLocal(path.Join(path.Dir(name), target)) {
		return fmt.Errorf("%s is a link to %s, outside of %s, where the function could not see it; copy the file, or leave the link out (%s)", name, target, w.dir, ignoreFile)
	}
	if err := w.count(name, int64(len(target))); err != nil {
		return err
	}
	out, err := w.create(name, fs.ModeSymlink|0o777)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, target)
	return err
}

func (w *packer) create(name string, mode fs.FileMode) (io.Writer, error) {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: zipTime}
	h.SetMode(mode)
	return w.zip.CreateHeader(h)
}

// count adds up the sizes.
func (w *packer) count(name string, size int64) error {
	top, _, _ := strings.Cut(name, "/")
	w.parts[top] += size
	w.files++
	if w.size += size; w.size > maxUnpacked {
		return &TooLargeError{Dir: w.dir, Largest: w.largest(3)}
	}
	return nil
}

func (w *packer) largest(n int) []string {
	var names []string
	for name := range w.parts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if w.parts[a] != w.parts[b] {
			return int(w.parts[b] - w.parts[a])
		}
		return strings.Compare(a, b)
	})
	names = names[:min(n, len(names))]
	for i, name := range names {
		names[i] = fmt.Sprintf("%s (%d MB)", name, w.parts[name]>>20)
	}
	return names
}
