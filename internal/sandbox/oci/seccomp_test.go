package oci

import (
	"encoding/binary"
	"runtime"
	"slices"
	"strings"
	"testing"

	profile "github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// dockerRules is the profile that environments get, less our own changes.
func dockerRules(t testing.TB) *specs.LinuxSeccomp {
	t.Helper()
	rules, err := profile.GetDefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}})
	must(t, err)
	return rules
}

// A filterVM answers for the kernel what a filter says of a system call.
type filterVM struct{ *bpf.VM }

func newFilterVM(t testing.TB, p *specs.LinuxSeccomp) filterVM {
	t.Helper()
	program, err := filterProgram(p)
	must(t, err)
	raw, err := bpf.Assemble(program)
	must(t, err)
	t.Logf("%d instructions", len(raw))
	if len(raw) > 4096 { // BPF_MAXINSNS
		t.Fatal("too long for the kernel")
	}
	vm, err := bpf.NewVM(program)
	must(t, err)
	return filterVM{vm}
}

// run lays the call out as the kernel does, but big-endian, as the machine in
// golang.org/x/net/bpf reads it.
func (vm filterVM) run(t interface{ Fatal(...any) }, arch, number uint32, args [6]uint64) uint32 {
	data := binary.BigEndian.AppendUint32(nil, number)
	data = binary.BigEndian.AppendUint32(data, arch)
	data = binary.BigEndian.AppendUint64(data, 0) // instruction pointer
	for _, a := range args {
		data = binary.BigEndian.AppendUint32(data, uint32(a))
		data = binary.BigEndian.AppendUint32(data, uint32(a>>32))
	}
	v, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(v)
}

var hostArch = auditArchs[runtime.GOARCH]

// expected reads the profile the slow way.
func expected(p *specs.LinuxSeccomp, name string, args [6]uint64) uint32 {
	if slices.Contains(neverAllowed, name) {
		return refuse(uint(unix.EPERM))
	}
	verdict := refuse(uint(unix.EPERM))
	for _, rule := range p.Syscalls {
		if !slices.Contains(rule.Names, name) {
			continue
		}
		holds := true
		for _, a := range rule.Args {
			switch a.Op {
			case specs.OpEqualTo:
				holds = holds && args[a.Index] == a.Value
			case specs.OpLessThan:
				holds = holds && args[a.Index] < a.Value
			case specs.OpMaskedEqual:
				holds = holds && args[a.Index]&a.Value == a.ValueTwo
			}
		}
		if rule.Action == specs.ActAllow && holds {
			return unix.SECCOMP_RET_ALLOW
		}
		if rule.Action == specs.ActErrno && holds {
			verdict = refuse(*rule.ErrnoRet)
		}
	}
	return verdict
}

func TestFilterSaysWhatTheProfileSays(t *testing.T) {
	rules := dockerRules(t)
	vm := newFilterVM(t, rules)
	interesting := []uint64{0, 1, 38, 40, 56, 1 << 31, 1 << 32, 1<<32 | 40, 1<<63 | 1, ^uint64(0)}
	for _, rule := range rules.Syscalls {
		for _, a := range rule.Args {
			interesting = append(interesting, a.Value, a.Value-1, a.Value+1, a.Value|1<<32, a.Value|1<<63)
		}
	}
	for _, s := range syscalls {
		for _, a := range interesting {
			args := [6]uint64{a, a, a}
			if got, want := vm.run(t, hostArch, s.number, args), expected(rules, s.name, args); got != want {
				t.Errorf("%s(%#x): %#x, want %#x", s.name, a, got, want)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(syscalls).Draw(t, "call")
		var args [6]uint64
		for i := range args {
			args[i] = rapid.OneOf(rapid.SampledFrom(interesting), rapid.Uint64()).Draw(t, "argument")
		}
		if got, want := vm.run(t, hostArch, s.number, args), expected(rules, s.name, args); got != want {
			t.Fatalf("%s%#x: %#x, want %#x", s.name, args, got, want)
		}
	})
}

func TestFilterKnowsNoOtherABI(t *testing.T) {
	vm := newFilterVM(t, dockerRules(t))
	missing := refuse(uint(unix.ENOSYS))
	last := syscalls[len(syscalls)-1].number
	for name, c := range map[string]struct{ arch, number uint32 }{
		"32-bit x86":          {unix.AUDIT_ARCH_I386, unix.SYS_READ},
		"x32":                 {hostArch, unix.SYS_READ | x32Bit},
		"newer than we are":   {hostArch, last + 1},
		"far beyond":          {hostArch, x32Bit - 1},
		"a negative number":   {hostArch, 0xffffffff},
		"a gap in the number": {hostArch, gap()},
	} {
		t.Run(name, func(t *testing.T) {
			if got := vm.run(t, c.arch, c.number, [6]uint64{}); got != missing {
				t.Errorf("%#x, want ENOSYS", got)
			}
		})
	}
}

// gap is a number that no system call has.
func gap() uint32 {
	next := uint32(0)
	for _, s := range syscalls {
		if s.number != next {
			return next
		}
		next++
	}
	return next
}

func TestFilterRefusesWhatItMust(t *testing.T) {
	vm := newFilterVM(t, dockerRules(t))
	for _, name := range []string{
		"mount", "umount2", "pivot_root", "chroot", "fsopen", "move_mount", "open_tree", "unshare", "setns",
		"ptrace", "process_vm_readv", "process_vm_writev", "bpf", "perf_event_open", "userfaultfd",
		"keyctl", "add_key", "request_key", "io_uring_setup", "io_uring_enter", "io_uring_register",
		"init_module", "finit_module", "delete_module", "kexec_load", "reboot", "swapon", "acct",
		"open_by_handle_at", "quotactl", "settimeofday", "clock_settime", "sethostname", "iopl", "ioperm",
	} {
		i := slices.IndexFunc(syscalls, func(s syscallNumber) bool { return s.name == name })
		if i < 0 {
			continue // not on this architecture
		}
		if got := vm.run(t, hostArch, syscalls[i].number, [6]uint64{}); got&unix.SECCOMP_RET_ACTION_FULL != unix.SECCOMP_RET_ERRNO {
			t.Errorf("%s: %#x", name, got)
		}
	}
}

func TestSyscallTableIsInOrder(t *testing.T) {
	if !slices.IsSortedFunc(syscalls, func(a, b syscallNumber) int { return int(a.number) - int(b.number) }) {
		t.Error("not sorted")
	}
	for i, s := range syscalls[1:] {
		if s.number == syscalls[i].number {
			t.Errorf("%s and %s have the same number", s.name, syscalls[i].name)
		}
	}
}

func TestFilterRejectsProfilesItCannotExpress(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*specs.LinuxSeccomp)
		want   string
	}{
		"another default":  {func(p *specs.LinuxSeccomp) { p.DefaultAction = specs.ActAllow }, "default action"},
		"another action":   {func(p *specs.LinuxSeccomp) { p.Syscalls[0].Action = specs.ActNotify }, "cannot express"},
		"another operator": {func(p *specs.LinuxSeccomp) { p.Syscalls[0].Args[0].Op = specs.OpGreaterThan }, "cannot express"},
		"an argument twice": {func(p *specs.LinuxSeccomp) {
			p.Syscalls[0].Args = append(p.Syscalls[0].Args, p.Syscalls[0].Args[0])
		}, "two conditions for argument 1"},
	} {
		t.Run(name, func(t *testing.T) {
			errno := uint(unix.EPERM)
			p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, DefaultErrnoRet: &errno, Syscalls: []specs.LinuxSyscall{{
				Names: []string{"read"}, Action: specs.ActAllow,
				Args: []specs.LinuxSeccompArg{{Index: 1, Value: 7, Op: specs.OpEqualTo}},
			}}}
			_, err := filterProgram(p)
			must(t, err)
			c.change(p)
			if _, err = filterProgram(p); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}
