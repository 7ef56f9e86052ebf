package oci

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// isolatedMark is set in the environment of a process that Isolate made.
const isolatedMark = "_HEARTH_ISOLATED"

// timerSlack is how late the kernel may wake the node for a timer. The thread
// of Go's runtime that looks after the others sleeps for 20 µs at a time while
// there is work; with Linux's default of 50 µs its waking up takes a tenth of
// the node's processor time.
const timerSlack = 250 * time.Microsecond

// Isolate moves the calling process into a mount namespace of its own and into
// a sealed copy of its binary in memory, by executing itself again; it returns
// only in the new life, or with an error. Called first thing by `hearth serve`:
//
//   - however the node ends, its mounts end with it;
//   - the binary that containers are started from can't be written by anyone,
//     which libcontainer would otherwise ensure anew at each start
//     (CVE-2019-5736);
//   - its session keyring is empty, as are then those of the environments;
//   - its timers may be a little late; see timerSlack.
func Isolate() error {
	if os.Getenv(isolatedMark) != "" {
		// The kernel named the process after its binary's descriptor.
		_ = os.WriteFile("/proc/self/comm", []byte(filepath.Base(os.Args[0])), 0)
		return os.Unsetenv(isolatedMark)
	}
	exe, err := sealedSelf()
	if err != nil {
		return fmt.Errorf("seal the binary: %w", err)
	}
	// The namespace changes for this thread alone, and execve makes this
	// thread the whole process.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("own mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("own mount namespace: %w", err)
	}
	// An empty session keyring, so that environments don't inherit whoever's
	// session the node was started from. Not every kernel has keys.
	_, _ = unix.KeyctlJoinSessionKeyring("")
	// It passes on to the threads of the new life.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(timerSlack.Nanoseconds()), 0, 0, 0)
	env := append(os.Environ(), isolatedMark+"=1")
	err = unix.Exec(fmt.Sprintf("/proc/self/fd/%d", exe.Fd()), os.Args, env)
	runtime.KeepAlive(exe) // its finalizer would close what is being executed
	return fmt.Errorf("execute the sealed binary: %w", err)
}

// sealedSelf copies this process's binary to a memory file nobody can write.
func sealedSelf() (*os.File, error) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	defer self.Close()
	flags := unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING | unix.MFD_EXEC
	fd, err := unix.MemfdCreate("hearth", flags)
	if errors.Is(err, unix.EINVAL) { // Linux before 6.3
		fd, err = unix.MemfdCreate("hearth", flags&^unix.MFD_EXEC)
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "hearth")
	if _, err := io.Copy(f, self); err != nil {
		return nil, err
	}
	if err := f.Chmod(0o555); err != nil {
		return nil, err
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals)
	return f, err
}
