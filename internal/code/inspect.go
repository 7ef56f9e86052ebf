package code

import (
	"archive/zip"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

// Lambda's limits of a package, and Hearth's of what Lambda says nothing about.
const (
	DefaultMaxZipped   = 50 << 20
	DefaultMaxUnzipped = 250 << 20
	DefaultMaxEntries  = 100_000

	maxComponent = 255  // bytes between two slashes: the file systems' limit
	maxPath      = 2048 // bytes; PATH_MAX less room for where it is unpacked
	maxLinks     = 40   // followed in one path: the kernel's limit
)

// Limits of a package. Zero members stand for the defaults.
type Limits struct {
	MaxZipped   int64
	MaxUnzipped int64
	MaxEntries  int
}

func (l Limits) orDefaults() Limits {
	if l.MaxZipped == 0 {
		l.MaxZipped = DefaultMaxZipped
	}
	if l.MaxUnzipped == 0 {
		l.MaxUnzipped = DefaultMaxUnzipped
	}
	if l.MaxEntries == 0 {
		l.MaxEntries = DefaultMaxEntries
	}
	return l
}

// kind is what an entry becomes on disk.
type kind byte

const (
	file kind = iota
	dir
	link
)

// entry is one thing to unpack. Names are clean, relative and use slashes.
type entry struct {
	kind   kind
	name   string
	mode   fs.FileMode // permissions of a file
	mtime  time.Time
	size   int64  // of a file, as declared; extract holds it to that
	target string // of a link
	zip    *zip.File
}

// contents is an archive whose directory was checked: every name is safe and
// unique, parents come before what they hold, links lead nowhere outside.
// Directories the archive only implies are included.
type contents struct {
	entries  []entry
	unzipped int64 // declared
}

// inspect checks everything about an archive that can be known without
// inflating its files. The error is an [*InvalidError] unless reading fails.
func inspect(r io.ReaderAt, size int64, l Limits) (*contents, error) {
	if size == 0 {
		return nil, emptyZip()
	}
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, badZip()
	}
	switch {
	case len(z.File) == 0:
		return nil, emptyZip()
	case len(z.File) > l.MaxEntries:
		return nil, tooLarge("The archive has %d entries; at most %d are allowed. Leave out what the function does not need.", len(z.File), l.MaxEntries)
	}
	in := inspection{limits: l, seen: make(map[string]int, len(z.File))}
	for _, f := range z.File {
		if err := in.add(f); err != nil {
			return nil, err
		}
	}
	if err := in.checkLinks(); err != nil {
		return nil, err
	}
	return &in.contents, nil
}

type inspection struct {
	contents
	limits Limits
	seen   map[string]int // index into entries, by name
}

func (in *inspection) add(f *zip.File) error {
	name, isDir, err := cleanName(f.Name)
	if err != nil {
		return err
	}
	if name == "" { // "./" stands for the root, which is there anyway
		return nil
	}
	if f.Flags&1 != 0 {
		return badEntry(f.Name, "is encrypted. Make the archive without a password.")
	}
	if f.Method != zip.Store && f.Method != zip.Deflate {
		return badEntry(f.Name, "is compressed by method %d. Use deflate, or no compression.", f.Method)
	}
	if f.UncompressedSize64 > uint64(in.limits.MaxUnzipped) {
		return in.tooLarge()
	}
	e := entry{name: name, mtime: saneTime(f.Modified), zip: f}
	mode := f.Mode()
	switch {
	case isDir && (mode.Type() == 0 || mode.IsDir()), mode.IsDir() && f.UncompressedSize64 == 0:
		e.kind = dir
	case isDir:
		return badEntry(f.Name, "ends in a slash and is no directory.")
	case mode.IsRegular():
		e.kind, e.size, e.mode = file, int64(f.UncompressedSize64), filePerm(f)
	case mode.Type() == fs.ModeSymlink:
		e.kind = link
		if e.target, err = linkTarget(f); err != nil {
			return err
		}
	default:
		return badEntry(f.Name, "is a %s. Only files, directories and symbolic links are allowed.", typeName(mode))
	}
	if err := in.implyParents(name, e.mtime); err != nil {
		return err
	}
	if i, ok := in.seen[name]; ok {
		if e.kind != dir || in.entries[i].kind != dir {
			return badEntry(f.Name, "is in the archive more than once.")
		}
		in.entries[i].mtime = e.mtime
		return nil
	}
	if in.unzipped += e.size; in.unzipped > in.limits.MaxUnzipped {
		return in.tooLarge()
	}
	return in.put(e)
}

// put appends e. Directories count as entries even where they are implied, so
// that a deep path can't multiply the archive.
func (in *inspection) put(e entry) error {
	if len(in.entries) >= in.limits.MaxEntries {
		return tooLarge("The archive makes more than %d files and directories. Leave out what the function does not need.", in.limits.MaxEntries)
	}
	in.seen[e.name] = len(in.entries)
	in.entries = append(in.entries, e)
	return nil
}

func (in *inspection) tooLarge() error {
	return tooLarge("Unzipped size must be smaller than %d bytes", in.limits.MaxUnzipped)
}

// implyParents adds the directories above name that have no entry so far.
func (in *inspection) implyParents(name string, mtime time.Time) error {
	for i := 0; i < len(name); i++ {
		if name[i] != '/' {
			continue
		}
		parent := name[:i]
		if at, ok := in.seen[parent]; ok {
			if in.entries[at].kind != dir {
				return badEntry(name, "lies below %q, which is no directory.", parent)
			}
			continue
		}
		if err := in.put(entry{kind: dir, name: parent, mtime: mtime}); err != nil {
			return err
		}
	}
	return nil
}

// cleanName checks the name of an entry and returns it without a leading "./"
// and a trailing slash.
func cleanName(raw string) (name string, isDir bool, err error) {
	name = raw
	for strings.HasPrefix(name, "./") {
		name = name[2:]
	}
	name, isDir = strings.CutSuffix(name, "/")
	switch {
	case name == "" && raw != "" && raw != "/" || name == ".":
		return "", true, nil
	case name == "" || strings.HasPrefix(name, "/"):
		return "", false, badEntry(raw, "has an absolute or empty name. Make the archive from within the function's directory.")
	case len(name) > maxPath:
		return "", false, badEntry(raw, "has a name longer than %d bytes.", maxPath)
	case strings.Contains(name, `\`):
		return "", false, badEntry(raw, "has a backslash in its name. Make the archive with a tool that separates directories by slashes.")
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", false, badEntry(raw, "has a control character in its name.")
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "..":
			return "", false, badEntry(raw, "leads out of the archive. Make the archive from within the function's directory.")
		case part == "" || part == ".":
			return "", false, badEntry(raw, "has an empty directory name or \".\" in its path.")
		case len(part) > maxComponent:
			return "", false, badEntry(raw, "has a name longer than %d bytes.", maxComponent)
		}
	}
	return name, isDir, nil
}

// filePerm is what a file's permissions become: readable by everybody, since
// an environment is another user on the host; executable by everybody if by
// anybody; writable by nobody, since environments share it. An archive made
// where there are no such permissions (on Windows, or by a library) says
// nothing about execution, so that everything may be executed.
func filePerm(f *zip.File) fs.FileMode {
	const unix, darwin = 3, 19
	perm := f.Mode().Perm()
	if creator := f.CreatorVersion >> 8; creator != unix && creator != darwin || f.ExternalAttrs>>16 == 0 || perm == 0 {
		return 0o555
	}
	if perm&0o111 != 0 {
		return 0o555
	}
	return 0o444
}

// saneTime keeps what the archive says, within what a zip archive can say and
// a program may stumble over.
func saneTime(t time.Time) time.Time {
	oldest := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	if t.Before(oldest) || t.Year() > 2107 {
		return oldest
	}
	return t
}

func typeName(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}

// linkTarget reads where a link leads.
func linkTarget(f *zip.File) (string, error) {
	if f.UncompressedSize64 == 0 || f.UncompressedSize64 > maxPath {
		return "", badEntry(f.Name, "is a link whose target is empty or longer than %d bytes.", maxPath)
	}
	b, err := readFile(f)
	if err != nil {
		return "", err
	}
	target := string(b)
	if path.IsAbs(target) {
		return "", badEntry(f.Name, "is a link to an absolute path. Make it relative.")
	}
	if strings.ContainsFunc(target, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", badEntry(f.Name, "is a link with a control character in its target.")
	}
	for part := range strings.SplitSeq(target, "/") {
		if len(part) > maxComponent {
			return "", badEntry(f.Name, "is a link to a name longer than %d bytes.", maxComponent)
		}
	}
	return target, nil
}

// checkLinks follows every link as the kernel would, through other links of
// the archive, and refuses those that would leave it. A link to nothing, and a
// circle, are the owner's business.
func (in *inspection) checkLinks() error {
	for i := range in.entries {
		e := &in.entries[i]
		if e.kind == link && in.escapes(e.name) {
			return badEntry(e.name, "is a link that leads out of the archive (to %q).", e.target)
		}
	}
	return nil
}

// escapes reports whether resolving name, a path that begins at the root of
// the archive, passes above that root.
func (in *inspection) escapes(name string) bool {
	todo := strings.Split(name, "/")
	var at []string // where we are, free of links
	for followed := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if len(at) == 0 {
				return true
			}
			at = at[:len(at)-1]
			continue
		}
		at = append(at, part)
		i, ok := in.seen[strings.Join(at, "/")]
		if !ok || in.entries[i].kind != link {
			continue
		}
		if followed++; followed > maxLinks {
			return false // ELOOP: it leads nowhere
		}
		at = at[:len(at)-1]
		todo = append(strings.Split(in.entries[i].target, "/"), todo...)
	}
	return false
}
