package runtimes

import (
	"path/filepath"

	"github.com/hearthd/hearth/internal/sandbox"
)

// Directories inside an environment.
const (
	taskRoot   = "/var/task"
	runtimeDir = "/var/runtime"
	layerRoot  = "/opt"
)

// bootPath is the PATH of a pre-booted process, before it has a function.
const bootPath = "/usr/local/bin:/usr/bin:/bin"

// Boot returns what is to be booted for rt: Argv, Env and Mounts. The caller
// adds Limits and TmpMB. It is the same for every function, so that environments
// can be booted before anybody asks for one.
func (s *Set) Boot(rt Runtime) sandbox.BootSpec {
	if rt.Family == Provided {
		return sandbox.BootSpec{Mounts: rt.Mounts}
	}
	spec := sandbox.BootSpec{
		Argv: preBooted(rt),
		// The loader looks at LD_LIBRARY_PATH once, when a program starts, and
		// forgets directories that don't exist by then. /var/task exists from
		// the beginning; for libraries elsewhere see needsNewProgram.
		Env:    []string{"PATH=" + bootPath, "LANG=C.UTF-8", "TZ=:UTC", "LD_LIBRARY_PATH=" + taskRoot},
		Mounts: append([]sandbox.Mount{{Source: filepath.Join(s.clientDir, string(rt.Family)), Target: runtimeDir}}, rt.Mounts...),
	}
	return spec
}

// preBooted is the command of a pre-booted environment.
func preBooted(rt Runtime) []string {
	if rt.Family == Python {
		// -S: the client puts sys.path together itself, as Lambda has it, and
		// the site module costs a quarter of the interpreter's start.
		return append([]string{rt.Path, "-S"}, command(rt)[1:]...)
	}
	return command(rt)
}

// command is the interpreter with its runtime client, for a process that starts
// with the function's environment.
func command(rt Runtime) []string {
	switch rt.Family {
	case Python:
		// -B: nothing but /tmp is writable.
		return []string{rt.Path, "-B", runtimeDir + "/bootstrap.py"}
	case NodeJS:
		return []string{rt.Path, runtimeDir + "/index.cjs"}
	}
	return nil
}
