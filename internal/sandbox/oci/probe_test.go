package oci

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// probeEnv makes the test binary, executed in an environment, one of the
// probes.
const probeEnv = "HEARTH_TEST_PROBE"

var probes = map[string]func() error{
	"echo":     probeEcho,
	"memory":   probeMemory,
	"syscalls": probeSyscalls,
	"files":    probeFiles,
	"sockets":  probeSockets,
	"work":     probeWork,
}

// probeDir has the test binary as its bootstrap.
func probeDir(t testing.TB) string {
	t.Helper()
	dir, err := makeProbeDir()
	must(t, err)
	return dir
}

var makeProbeDir = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hearth-probe")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return "", err
	}
	defer self.Close()
	to, err := os.OpenFile(filepath.Join(dir, "bootstrap"), os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(to, self)
	return dir, errors.Join(err, to.Close())
})

// serve calls the test and answers its questions.
func serve(handle func(words []string) string) error {
	c, err := net.Dial("tcp", runtimeAPIAddress)
	if err != nil {
		return err
	}
	s := bufio.NewScanner(c)
	for s.Scan() {
		if _, err := fmt.Fprintln(c, handle(strings.Fields(s.Text()))); err != nil {
			return err
		}
	}
	return s.Err()
}

// probeEcho answers with the question. While it waits it computes.
func probeEcho() error {
	go func() {
		for n := 0; ; n++ {
			_ = n
		}
	}()
	return serve(func(words []string) string { return strings.Join(words, " ") })
}

// probeMemory holds as many MiB as it is told to: in itself ("self 20"), or in
// a child process ("child 200"), and says how the child ended.
func probeMemory() error {
	if os.Getenv("HEARTH_TEST_CHILD") != "" {
		mb, err := strconv.Atoi(os.Getenv("HEARTH_TEST_CHILD"))
		if err != nil {
			return err
		}
		hold(mb)
		return nil
	}
	var held []byte
	return serve(func(words []string) string {
		mb, err := strconv.Atoi(words[1])
		if err != nil {
			return err.Error()
		}
		if words[0] == "child" {
			c := exec.Command("/proc/self/exe")
			c.Env = append(os.Environ(), "HEARTH_TEST_CHILD="+words[1])
			return fmt.Sprint(c.Run())
		}
		if held != nil {
			if err := unix.Munmap(held); err != nil {
				return err.Error()
			}
		}
		held = hold(mb)
		return "ok"
	})
}

func hold(mb int) []byte {
	if mb == 0 {
		return nil
	}
	b, err := unix.Mmap(-1, 0, mb<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	return b
}

// probeSyscalls prints how some system calls end that a function must not make.
func probeSyscalls() error {
	root := uintptr(unsafe.Pointer(unsafe.StringData("/\x00")))
	type call struct {
		name       string
		number     uintptr
		a, b, c, d uintptr
	}
	for _, c := range []call{
		{"mount", unix.SYS_MOUNT, root, root, 0, unix.MS_BIND},
		{"umount2", unix.SYS_UMOUNT2, root, unix.MNT_DETACH, 0, 0},
		{"pivot_root", unix.SYS_PIVOT_ROOT, root, root, 0, 0},
		{"unshare(NEWUSER)", unix.SYS_UNSHARE, unix.CLONE_NEWUSER, 0, 0, 0},
		{"setns", unix.SYS_SETNS, 0, 0, 0, 0},
		{"clone(NEWUSER)", unix.SYS_CLONE, unix.CLONE_NEWUSER | uintptr(unix.SIGCHLD), 0, 0, 0},
		{"clone3", unix.SYS_CLONE3, 0, 0, 0, 0},
		{"ptrace", unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, 0, 0},
		{"process_vm_readv", unix.SYS_PROCESS_VM_READV, 1, 0, 0, 0},
		{"bpf", unix.SYS_BPF, 0, 0, 0, 0},
		{"perf_event_open", unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, 0},
		{"userfaultfd", unix.SYS_USERFAULTFD, 0, 0, 0, 0},
		{"keyctl", unix.SYS_KEYCTL, unix.KEYCTL_GET_KEYRING_ID, 0, 0, 0},
		{"add_key", unix.SYS_ADD_KEY, 0, 0, 0, 0},
		{"request_key", unix.SYS_REQUEST_KEY, 0, 0, 0, 0},
		{"io_uring_setup", unix.SYS_IO_URING_SETUP, 1, 0, 0, 0},
		{"init_module", unix.SYS_INIT_MODULE, 0, 0, 0, 0},
		{"reboot", unix.SYS_REBOOT, 0, 0, 0, 0},
		{"sethostname", unix.SYS_SETHOSTNAME, root, 1, 0, 0},
		{"mknod(memory)", unix.SYS_MKNODAT, 0, uintptr(unsafe.Pointer(unsafe.StringData("/tmp/mem\x00"))), unix.S_IFCHR | 0o666, uintptr(unix.Mkdev(1, 1))},
		{"setuid(0)", unix.SYS_SETUID, 0, 0, 0, 0},
		{"socket(VSOCK)", unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM, 0, 0},
		{"socket(VSOCK, wide)", unix.SYS_SOCKET, 1<<32 | unix.AF_VSOCK, unix.SOCK_STREAM, 0, 0},
		{"socket(ALG)", unix.SYS_SOCKET, unix.AF_ALG, unix.SOCK_SEQPACKET, 0, 0},
		{"socket(raw)", unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP, 0},
		{"socket(packet)", unix.SYS_SOCKET, unix.AF_PACKET, unix.SOCK_RAW, 0, 0},
	} {
		_, _, errno := syscall.RawSyscall6(c.number, c.a, c.b, c.c, c.d, 0, 0)
		fmt.Println(c.name, unix.ErrnoName(errno))
	}
	return nil
}

// probeFiles walks all it can see and prints what it can write to, devices it
// can open, and files of other environments.
func probeFiles() error {
	return filepath.WalkDir("/", func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		switch {
		case entry.IsDir() && (path == "/usr" || path == "/proc"):
			return filepath.SkipDir // read-only as the root is; tested by themselves
		case entry.IsDir():
			if unix.Access(path, unix.W_OK) == nil {
				fmt.Println("writable", path)
			}
		case entry.Type()&os.ModeDevice != 0:
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err == nil {
				fmt.Println("device", path)
				f.Close()
			}
		case strings.Contains(path, "secret"):
			fmt.Println("secret", path)
		}
		return nil
	})
}

// probeSockets tries to reach sockets of the host by name.
func probeSockets() error {
	return serve(func(words []string) string {
		c, err := net.Dial("unix", words[0])
		if err != nil {
			return err.Error()
		}
		c.Close()
		return "connected"
	})
}

// probeWork uses what it is told to: "write 5" MiB to /tmp, through to the
// disk; "read FILE"; "spin 20" milliseconds of CPU time; "send ADDRESS" a
// thousand bytes.
func probeWork() error {
	return serve(func(words []string) string {
		if err := work(words[0], words[1]); err != nil {
			return err.Error()
		}
		return "ok"
	})
}

func work(what, much string) error {
	n, _ := strconv.Atoi(much)
	switch what {
	case "write":
		f, err := os.Create("/tmp/written")
		if err != nil {
			return err
		}
		for range n {
			_, e := f.Write(make([]byte, 1<<20))
			err = errors.Join(err, e)
		}
		return errors.Join(err, f.Sync(), f.Close())
	case "read":
		f, err := os.Open(much)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, struct{ io.Reader }{f})
		return errors.Join(err, f.Close())
	case "spin":
		for end := cpuTime() + time.Duration(n)*time.Millisecond; cpuTime() < end; {
		}
		return nil
	case "send":
		c, err := net.Dial("udp", much)
		if err != nil {
			return err
		}
		_, err = c.Write(make([]byte, 1000))
		return errors.Join(err, c.Close())
	}
	return errors.New("no such work")
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
