package oci

// The C file of this package runs before main in environments; see there.

import "C"

import (
	"os"
	"runtime"

	"github.com/opencontainers/runc/libcontainer"
	_ "github.com/opencontainers/runc/libcontainer/nsenter" // the C half of libcontainer's init
)

// initArg is what libcontainer puts in argv[1] when it re-executes the binary
// as a container's init.
const initArg = "init"

func init() {
	if len(os.Args) == 2 && os.Args[1] == initArg && os.Getenv("_LIBCONTAINER_INITPIPE") != "" {
		libcontainer.Init()
	}
	// libcontainer lets a thread join each new container's mount namespace and
	// end there. Go cannot end the main thread: if it were that one, it would
	// hold the container's mounts for ever, and /proc/self would show them as
	// ours. So the main thread is kept for the main goroutine.
	runtime.LockOSThread()
}
