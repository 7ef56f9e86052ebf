package oci

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"syscall"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	profile "github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// newFilterFile assembles the system call filter once and puts it in memory,
// where every environment's init reads it. The rules are Docker's default
// profile for a process without capabilities. It is installed by our own init
// and not by libcontainer so that the build needs no C library beyond libc.
func newFilterFile() (*os.File, error) {
	code, err := assembleFilter()
	if err != nil {
		return nil, fmt.Errorf("system call filter: %w", err)
	}
	fd, err := unix.MemfdCreate("hearth-seccomp", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("system call filter: %w", err)
	}
	f := os.NewFile(uintptr(fd), "hearth-seccomp")
	if _, err := f.Write(code); err != nil {
		f.Close()
		return nil, fmt.Errorf("system call filter: %w", err)
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, fmt.Errorf("system call filter: %w", err)
	}
	return f, nil
}

// assembleFilter returns an array of struct sock_filter in host byte order.
func assembleFilter() ([]byte, error) {
	rules, err := profile.GetDefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}})
	if err != nil {
		return nil, err
	}
	policy, err := translate(rules)
	if err != nil {
		return nil, err
	}
	program, err := policy.Assemble()
	if err != nil {
		return nil, err
	}
	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, in := range raw {
		if err := binary.Write(&out, binary.NativeEndian, in); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// translate turns the OCI form of a profile into rules for the assembler.
// System calls that this architecture lacks are left out; where the profile
// allows a call both with and without conditions, without wins.
func translate(p *specs.LinuxSeccomp) (*seccomp.Policy, error) {
	if p.DefaultAction != specs.ActErrno {
		return nil, fmt.Errorf("unexpected default action %s", p.DefaultAction)
	}
	info, err := arch.GetInfo("")
	if err != nil {
		return nil, err
	}
	var allowed []string
	free := map[string]bool{}
	for _, rule := range p.Syscalls {
		if rule.Action != specs.ActAllow || len(rule.Args) > 0 {
			continue
		}
		for _, name := range rule.Names {
			if _, known := info.SyscallNames[name]; known && !free[name] {
				free[name] = true
				allowed = append(allowed, name)
			}
		}
	}
	var conditional []seccomp.NameWithConditions
	refused := map[syscall.Errno][]string{}
	for _, rule := range p.Syscalls {
		for _, name := range rule.Names {
			if _, known := info.SyscallNames[name]; !known || free[name] {
				continue
			}
			switch rule.Action {
			case specs.ActErrno:
				errno := syscall.EPERM
				if rule.ErrnoRet != nil {
					errno = syscall.Errno(*rule.ErrnoRet)
				}
				refused[errno] = append(refused[errno], name)
			case specs.ActAllow:
				conditions, err := translateArgs(rule.Args)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				conditional = append(conditional, seccomp.NameWithConditions{Name: name, Conditions: conditions})
			default:
				return nil, fmt.Errorf("%s: unexpected action %s", name, rule.Action)
			}
		}
	}
	policy := &seccomp.Policy{
		DefaultAction: seccomp.ActionErrno, // EPERM
		Syscalls:      []seccomp.SyscallGroup{{Action: seccomp.ActionAllow, Names: allowed, NamesWithCondtions: conditional}},
	}
	for errno, names := range refused {
		policy.Syscalls = append(policy.Syscalls, seccomp.SyscallGroup{Action: seccomp.ActionErrno | seccomp.Action(errno), Names: names})
	}
	return policy, nil
}

func translateArgs(args []specs.LinuxSeccompArg) (seccomp.ArgumentConditions, error) {
	var out seccomp.ArgumentConditions
	for _, a := range args {
		c := seccomp.Condition{Argument: uint32(a.Index), Value: a.Value}
		switch {
		case a.Op == specs.OpEqualTo:
			c.Operation = seccomp.Equal
		case a.Op == specs.OpNotEqual:
			c.Operation = seccomp.NotEqual
		case a.Op == specs.OpLessThan:
			c.Operation = seccomp.LessThan
		case a.Op == specs.OpLessEqual:
			c.Operation = seccomp.LessOrEqual
		case a.Op == specs.OpGreaterThan:
			c.Operation = seccomp.GreaterThan
		case a.Op == specs.OpGreaterEqual:
			c.Operation = seccomp.GreaterOrEqual
		case a.Op == specs.OpMaskedEqual && a.ValueTwo == 0:
			c.Operation = seccomp.BitsNotSet // (arg & Value) == 0
		default:
			return nil, fmt.Errorf("cannot express %s", a.Op)
		}
		out = append(out, c)
	}
	return out, nil
}
