package oci

import (
	"fmt"
	"math"
	"runtime"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data. An argument is 64 bits wide, and both
// architectures we know are little-endian.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// x32Bit marks system calls of the x32 ABI, which share numbers with others.
const x32Bit = 0x40000000

var auditArchs = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// filterProgram assembles a profile. The program finds the number's verdict by
// bisection; system calls of other ABIs, and such as are newer than our table,
// don't exist (ENOSYS, which C libraries are prepared for).
func filterProgram(p *specs.LinuxSeccomp) ([]bpf.Instruction, error) {
	auditArch, ok := auditArchs[runtime.GOARCH]
	if !ok {
		return nil, fmt.Errorf("no table for %s", runtime.GOARCH)
	}
	all, err := verdicts(p)
	if err != nil {
		return nil, err
	}
	missing := bpf.RetConstant{Val: refuse(uint(unix.ENOSYS))}
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offsetArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: auditArch, SkipTrue: 1},
		missing,
		bpf.LoadAbsolute{Off: offsetNumber, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: x32Bit, SkipTrue: 1},
		missing,
	}
	tree, err := bisect(leaves(all, missing))
	return append(program, tree...), err
}

// leaf is what happens to the system calls from a number on, up to the next leaf.
type leaf struct {
	from uint32
	verdict
}

// leaves cover all numbers, ascending, neighbours with the same verdict joined.
func leaves(all []verdict, missing bpf.RetConstant) []leaf {
	var list []leaf
	add := func(from uint32, v verdict) {
		last := len(list) - 1
		if last >= 0 && len(v.alternatives)+len(list[last].alternatives) == 0 && v.otherwise == list[last].otherwise {
			return
		}
		list = append(list, leaf{from, v})
	}
	next := uint32(0)
	for i, s := range syscalls {
		if s.number > next {
			add(next, verdict{otherwise: missing.Val})
		}
		add(s.number, all[i])
		next = s.number + 1
	}
	add(next, verdict{otherwise: missing.Val})
	return list
}

// bisect finds the leaf for the number in the accumulator.
func bisect(list []leaf) ([]bpf.Instruction, error) {
	if len(list) == 1 {
		return list[0].assemble()
	}
	middle := len(list) / 2
	low, err := bisect(list[:middle])
	if err != nil {
		return nil, err
	}
	high, err := bisect(list[middle:])
	if err != nil {
		return nil, err
	}
	// The jump over the lower half may be longer than a conditional one can be.
	code := []bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: list[middle].from, SkipTrue: 1},
		bpf.Jump{Skip: uint32(len(low))},
	}
	return append(append(code, low...), high...), nil
}

func (l leaf) assemble() ([]bpf.Instruction, error) {
	var code []bpf.Instruction
	for _, conditions := range l.alternatives {
		block, err := alternative(conditions)
		if err != nil {
			return nil, fmt.Errorf("system call %d: %w", l.from, err)
		}
		code = append(code, block...)
	}
	return append(code, bpf.RetConstant{Val: l.otherwise}), nil
}

// alternative returns code that allows the call if all conditions hold, and
// otherwise goes on behind its end.
func alternative(conditions []specs.LinuxSeccompArg) ([]bpf.Instruction, error) {
	code := []bpf.Instruction{bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}}
	seen := map[uint]bool{}
	for _, c := range conditions {
		if seen[c.Index] {
			// By the specification these would be alternatives.
			return nil, fmt.Errorf("two conditions for argument %d", c.Index)
		}
		seen[c.Index] = true
		test, err := condition(c, len(code))
		if err != nil {
			return nil, err
		}
		code = append(test, code...)
	}
	if len(code) > math.MaxUint8 {
		return nil, fmt.Errorf("too many conditions")
	}
	return code, nil
}

// condition returns code that goes on if the condition holds, and otherwise
// skips so many instructions behind its end.
func condition(c specs.LinuxSeccompArg, skip int) ([]bpf.Instruction, error) {
	low := bpf.LoadAbsolute{Off: uint32(offsetArgs + 8*c.Index), Size: 4}
	high := bpf.LoadAbsolute{Off: low.Off + 4, Size: 4}
	lowVal, highVal := uint32(c.Value), uint32(c.Value>>32)
	no := func(behind int) uint8 { return uint8(skip + behind) }
	switch c.Op {
	case specs.OpEqualTo:
		return []bpf.Instruction{
			high,
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: highVal, SkipFalse: no(2)},
			low,
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: lowVal, SkipFalse: no(0)},
		}, nil
	case specs.OpLessThan:
		return []bpf.Instruction{
			high,
			bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: highVal, SkipTrue: no(3)},
			bpf.JumpIf{Cond: bpf.JumpLessThan, Val: highVal, SkipTrue: 2},
			low,
			bpf.JumpIf{Cond: bpf.JumpLessThan, Val: lowVal, SkipFalse: no(0)},
		}, nil
	case specs.OpMaskedEqual: // (argument & Value) == ValueTwo
		return []bpf.Instruction{
			high,
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: highVal},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(c.ValueTwo >> 32), SkipFalse: no(3)},
			low,
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: lowVal},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(c.ValueTwo), SkipFalse: no(0)},
		}, nil
	default:
		return nil, fmt.Errorf("cannot express %s", c.Op)
	}
}
