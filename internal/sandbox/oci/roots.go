package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hearthd/hearth/internal/sandbox"
)

// hostDirs are shown in every environment where the host has them. Where one
// is a symbolic link (a merged /usr), the link is made again.
var hostDirs = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// hostEtc are the parts of the host's /etc that programs need and that tell
// nothing about the host: library lookup, certificates, alternatives, types.
var hostEtc = []string{"/etc/ld.so.cache", "/etc/ssl", "/etc/ca-certificates", "/etc/pki", "/etc/alternatives", "/etc/mime.types", "/etc/protocols", "/etc/services"}

// etcFiles are made anew; the user is the one Lambda's documentation names.
var etcFiles = map[string]string{
	"passwd":        "root:x:0:0:root:/root:/sbin/nologin\nsbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
	"group":         "root:x:0:\nsbx_user1051:x:990:\nnobody:x:65534:\n",
	"hosts":         "127.0.0.1 localhost\n::1 localhost\n",
	"hostname":      "hearth\n",
	"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
	"os-release":    "NAME=\"Hearth\"\nID=hearth\nPRETTY_NAME=\"Hearth execution environment\"\n",
	"localtime":     "",
}

// devices are the device nodes an environment sees, and all it may open.
var deviceNodes = []struct {
	name         string
	major, minor uint32
}{
	{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
}

// roots assembles root file systems: one directory per distinct set of extra
// mounts, bind-mounted together once and then shared by every environment, so
// that a new environment costs one recursive bind mount. They are read-only.
type roots struct {
	dir    string
	resolv string // content of /etc/resolv.conf

	mu   sync.Mutex
	done map[string]string // key -> path
}

// path returns the assembled root for these mounts, making it when it is new.
func (r *roots) path(extra []sandbox.Mount) (string, error) {
	key := rootKey(extra)
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, ok := r.done[key]; ok {
		return p, nil
	}
	p := filepath.Join(r.dir, key)
	if err := assembleRoot(p, r.resolv, extra); err != nil {
		return "", fmt.Errorf("root file system: %w", err)
	}
	if r.done == nil {
		r.done = map[string]string{}
	}
	r.done[key] = p
	return p, nil
}

func rootKey(extra []sandbox.Mount) string {
	h := sha256.New()
	for _, m := range extra {
		fmt.Fprintf(h, "%s\x00%s\x00", m.Source, m.Target)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func assembleRoot(root, resolv string, extra []sandbox.Mount) error {
	// A file system of its own: device nodes must work in it whatever the
	// options of the disk that Options.Dir is on.
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("hearth-root", root, "tmpfs", unix.MS_NOSUID, "mode=755,size=4m"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	if err := fillRoot(root, resolv, extra); err != nil {
		return errors.Join(err, unix.Unmount(root, unix.MNT_DETACH))
	}
	return nil
}

// fillRoot makes what is in a root file system, and then the whole read-only,
// which the kernel refuses while a file in it is open for writing. A process that
// is being started at that moment has every file open until it runs its program:
// none may be.
func fillRoot(root, resolv string, extra []sandbox.Mount) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for _, d := range []string{"etc", "dev/shm", "proc", "tmp", "var/task", "var/runtime", "opt", "run", "home/sbx_user1051", "sys"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	for _, d := range hostDirs {
		if err := showHost(root, d); err != nil {
			return err
		}
	}
	for name, content := range etcFiles {
		if err := os.WriteFile(filepath.Join(root, "etc", name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(root, "etc", "resolv.conf"), []byte(resolv), 0o644); err != nil {
		return err
	}
	for _, p := range hostEtc {
		if err := showHost(root, p); err != nil {
			return err
		}
	}
	for _, n := range deviceNodes {
		p := filepath.Join(root, "dev", n.name)
		if err := unix.Mknod(p, unix.S_IFCHR|0o666, int(unix.Mkdev(n.major, n.minor))); err != nil {
			return fmt.Errorf("device %s: %w", n.name, err)
		}
		if err := os.Chmod(p, 0o666); err != nil {
			return err
		}
	}
	for link, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, filepath.Join(root, "dev", link)); err != nil {
			return err
		}
	}
	for _, m := range extra {
		if err := bindInto(root, m.Source, m.Target); err != nil {
			return err
		}
	}
	return unix.MountSetattr(-1, root, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID})
}

// showHost shows one of the host's own directories or files at the same place.
func showHost(root, path string) error {
	info, err := os.Lstat(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSymlink == 0 {
		return bindInto(root, path, path)
	}
	target, err := os.Readlink(path)
	if err != nil {
		return err
	}
	return os.Symlink(target, filepath.Join(root, path))
}

// bindInto binds source, read-only, at target below root.
func bindInto(root, source, target string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	at := filepath.Join(root, target)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	if info.IsDir() {
		err = os.MkdirAll(at, 0o755)
	} else {
		err = os.WriteFile(at, nil, 0o644)
	}
	if err != nil {
		return err
	}
	return bindReadOnly(source, at)
}

// bindReadOnly mounts source at target with its flags set before it becomes
// visible: a mount that has propagated no longer follows changes of flags.
func bindReadOnly(source, target string) error {
	fd, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return fmt.Errorf("bind %s: %w", source, err)
	}
	defer unix.Close(fd)
	attr := unix.MountAttr{
		Attr_set:    unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV,
		Propagation: unix.MS_PRIVATE,
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		return fmt.Errorf("bind %s read-only: %w", source, err)
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("bind %s at %s: %w", source, target, err)
	}
	return nil
}
