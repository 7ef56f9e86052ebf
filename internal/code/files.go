package code

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// filesName is the directory of the file store in the cache's.
const filesName = "files"

// fileKey names a file by everything that two packages share when they share
// it: hard links have one mode and one time of change, and Python tells by the
// latter whether its compiled files are current.
type fileKey struct {
	sum   [sha256.Size]byte
	mode  fs.FileMode
	mtime int64 // seconds since 1970; a zip says no more
}

// sharedFile is one file of the file store.
type sharedFile struct {
	key  fileKey
	size int64
	refs int // packages; guarded by files.mu
}

// files is the cache's file store: files that are in several packages, as most
// are in a function's revisions, are on the disk once. Packages hold hard links
// to them; the store's own link makes them findable. A file stays as long as a
// package has it.
//
// Nothing is shared on trust: whoever brings a file that the store has already
// compares the two, and where the store's is damaged puts its own in the place.
type files struct {
	dir string
	log *slog.Logger

	mu    sync.Mutex
	all   map[fileKey]*sharedFile
	bytes int64 // on disk, of those with a package
}

func openFiles(dir string, log *slog.Logger) (*files, error) {
	// The store's own names are for the cache alone; environments reach the
	// files by the names that packages have for them.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &files{dir: dir, log: log, all: make(map[fileKey]*sharedFile)}, nil
}

func (s *files) path(k fileKey) string {
	sum := hex.EncodeToString(k.sum[:])
	return filepath.Join(s.dir, sum[:2], fmt.Sprintf("%s-%o-%d", sum[2:], k.mode, k.mtime))
}

// hold counts one package more that has the file.
func (s *files) hold(k fileKey, size int64) *sharedFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.all[k]
	if f == nil {
		f = &sharedFile{key: k, size: size}
		s.all[k] = f
	}
	if f.refs++; f.refs == 1 {
		s.bytes += blocks(size)
	}
	return f
}

// drop counts one package less for each of the files; sweep removes those that
// have none.
func (s *files) drop(held []*sharedFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range held {
		if f.refs--; f.refs == 0 {
			s.bytes -= blocks(f.size)
		}
	}
}

// sweep removes those of the files that no package has, one at a time, so that
// nobody waits for more than one.
func (s *files) sweep(dropped []*sharedFile) {
	for _, f := range dropped {
		s.mu.Lock()
		if f.refs == 0 && s.all[f.key] == f {
			delete(s.all, f.key)
			if err := os.Remove(s.path(f.key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				s.log.Warn("can't remove a file from the code cache; the next start will", "err", err)
			}
		}
		s.mu.Unlock()
	}
}

// clean removes what no package has, after all packages were counted: a crash
// left it.
func (s *files) clean() error {
	known := make(map[string]struct{}, len(s.all))
	for k := range s.all {
		known[s.path(k)] = struct{}{}
	}
	return filepath.WalkDir(s.dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if _, ok := known[at]; ok {
			return nil
		}
		return os.Remove(at)
	})
}

func (s *files) held() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// sharing is how one package that is being unpacked shares its files.
type sharing struct {
	files *files
	spare string // a free name on the same file system, for what is to be renamed
	// held are the package's files in the store; replaced are those of them
	// that were damaged there, and so in every package that has them.
	held, replaced []*sharedFile
}

// share makes the file at path, which nobody else knows yet, and the store's
// one file. Where that can't be, since a file has as many links as the file
// system lets it have, or the file system knows none, the package keeps a copy
// of its own.
func (s *sharing) share(path string, item *manifestItem) error {
	if item.Size == 0 {
		item.Copy = true // takes no room; and packages have many that are empty
		return nil
	}
	key, err := item.key()
	if err != nil {
		return err
	}
	f := s.files.hold(key, item.Size)
	replaced, err := s.link(path, s.files.path(key))
	switch {
	case err == nil:
		s.held = append(s.held, f)
		if replaced {
			s.replaced = append(s.replaced, f)
		}
		return nil
	case unlinkable(err):
		item.Copy = true
		err = nil
	}
	s.files.drop([]*sharedFile{f})
	s.files.sweep([]*sharedFile{f})
	return err
}

// link makes path and at, which is in the store, names of the same sound file.
// replaced tells that the store had a damaged one.
func (s *sharing) link(path, at string) (replaced bool, err error) {
	err = os.Link(path, at)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			return false, err
		}
		err = os.Link(path, at)
	}
	if !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	same, err := identical(path, at)
	if err != nil {
		return false, err
	}
	from, to := at, path
	if !same {
		from, to = path, at
	}
	if err := os.Link(from, s.spare); err != nil {
		return false, err
	}
	return !same, os.Rename(s.spare, to)
}

// unlinkable tells whether link(2) failed because there can't be such a link.
func unlinkable(err error) bool {
	for _, no := range []error{syscall.EMLINK, syscall.EPERM, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.EXDEV} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

// identical tells whether the store's file is what path has: contents, mode
// and time. One that can't be read is not.
func identical(path, at string) (bool, error) {
	fresh, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer fresh.Close()
	want, err := fresh.Stat()
	if err != nil {
		return false, err
	}
	got, err := os.Lstat(at)
	if err != nil || got.Mode() != want.Mode() || got.Size() != want.Size() || !got.ModTime().Equal(want.ModTime()) {
		return false, nil //nolint:nilerr // not what it should be, for whatever reason
	}
	stored, err := os.Open(at)
	if err != nil {
		return false, nil //nolint:nilerr // as above
	}
	defer stored.Close()
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for left := want.Size(); left > 0; {
		n := min(left, int64(len(a)))
		if _, err := io.ReadFull(fresh, a[:n]); err != nil {
			return false, err
		}
		if _, err := io.ReadFull(stored, b[:n]); err != nil || !bytes.Equal(a[:n], b[:n]) {
			return false, nil //nolint:nilerr // as above
		}
		left -= n
	}
	return true, nil
}

// blocks is what size bytes take on the disk, about.
func blocks(size int64) int64 { return (size + blockSize - 1) / blockSize * blockSize }
