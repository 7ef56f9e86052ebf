package oci

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"

	profile "github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

//go:generate go run mksyscalls.go

// syscallNumber is one line of the generated tables.
type syscallNumber struct {
	name   string
	number uint32
}

// neverAllowed are system calls that Docker's profile allows and environments
// don't: with them one process looks into another.
var neverAllowed = []string{"ptrace", "process_vm_readv", "process_vm_writev"}

// newFilterFile assembles the system call filter once and puts it in memory,
// where every environment's init reads it. The rules are Docker's default
// profile for a process without capabilities, less [neverAllowed]. It is
// installed by our own init and not by libcontainer so that the build needs no
// C library beyond libc.
func newFilterFile() (_ *os.File, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("system call filter: %w", err)
		}
	}()
	code, err := assembleFilter()
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("hearth-seccomp", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "hearth-seccomp")
	if _, err = f.Write(code); err == nil {
		const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// assembleFilter returns an array of struct sock_filter in host byte order.
func assembleFilter() ([]byte, error) {
	rules, err := profile.GetDefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}})
	if err != nil {
		return nil, err
	}
	program, err := filterProgram(rules)
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

// verdict is what happens to one system call: alternatives are tried in turn,
// each allows it if all its conditions hold; else returns otherwise.
type verdict struct {
	alternatives [][]specs.LinuxSeccompArg
	otherwise    uint32
}

func refuse(errno uint) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(errno) }

// verdicts turns the OCI form of a profile into one verdict for each system
// call of this architecture. Where the profile allows a call both with and
// without conditions, without wins.
func verdicts(p *specs.LinuxSeccomp) ([]verdict, error) {
	if p.DefaultAction != specs.ActErrno || p.DefaultErrnoRet == nil {
		return nil, fmt.Errorf("unexpected default action %s", p.DefaultAction)
	}
	byName := map[string]*verdict{}
	all := make([]verdict, len(syscalls))
	for i, s := range syscalls {
		all[i].otherwise = refuse(*p.DefaultErrnoRet)
		byName[s.name] = &all[i]
	}
	for _, rule := range p.Syscalls {
		for _, name := range rule.Names {
			v := byName[name]
			switch {
			case v == nil || slices.Contains(neverAllowed, name) || v.otherwise == unix.SECCOMP_RET_ALLOW:
			case rule.Action == specs.ActErrno && rule.ErrnoRet != nil && len(rule.Args) == 0:
				v.otherwise = refuse(*rule.ErrnoRet)
			case rule.Action == specs.ActAllow && len(rule.Args) == 0:
				*v = verdict{otherwise: unix.SECCOMP_RET_ALLOW}
			case rule.Action == specs.ActAllow:
				v.alternatives = append(v.alternatives, rule.Args)
			default:
				return nil, fmt.Errorf("%s: cannot express %+v", name, rule)
			}
		}
	}
	return all, nil
}
