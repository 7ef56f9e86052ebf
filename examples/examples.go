// Package examples holds functions to begin with, each in a directory of its
// own that `hearth deploy` takes as it is:
//
//	hello-python  Python
//	hello-node    Node.js
//	hello-go      Go, with AWS's runtime client
//	hello-custom  a runtime of its own, in Go without any dependency
//
// Those that `hearth demo` shows are embedded in the binary.
package examples

import "embed"

// Files has hello-python, hello-node and hello-custom.
//
//go:embed hello-python hello-node hello-custom
var Files embed.FS
