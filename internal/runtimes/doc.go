// Package runtimes knows what boots in an environment: which interpreters the
// host has, the runtime clients that run inside them, and the environment
// variables a function sees.
//
// [Discover] looks once, when a node starts, for every Python (3.8 and later)
// and Node.js (16 and later) of the host, on PATH and under the prefixes of the
// usual version managers. [Set.For] answers which of them serves a runtime
// identifier such as "python3.13": the same version when it is there, else the
// nearest of the same language, unless the operator wants it strict.
//
// Two messages take an environment from nothing to a serving function:
//
//   - [Set.Boot] is the interpreter with Hearth's runtime client loaded. It
//     knows no function; it waits on the control descriptor.
//   - [Set.Start] is the start message: the function's environment variables.
//     The waiting client takes them over, imports the handler, and polls the
//     Runtime API. Where a variable only works from a process's first moment
//     (LD_PRELOAD, NODE_OPTIONS, a wrapper script, ...), the message says so by
//     carrying an argument vector, and the client executes it instead.
//
// The clients are the files under clients/, embedded in the binary and written
// to [Options].ClientDir. They reproduce what AWS's own clients show to a
// function and to its caller: context, logging, shapes of errors. They use
// nothing outside the languages' standard libraries.
//
// The wire form of the start message is the driver's: four bytes of length
// (little endian), then NUL-terminated strings: the number of arguments in
// decimal, the arguments, the environment as K=V. The descriptor's number
// stands in HEARTH_CONTROL_FD; a client started without that variable uses the
// environment it was given.
package runtimes
