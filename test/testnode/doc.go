// Package testnode runs real Hearth nodes for tests: the binary that `make
// build` makes, started as a user starts it, spoken to over its API.
//
//	node := testnode.Start(t, testnode.Options{})
//	client := node.Lambda(node.Root)
//
// A node started by [Start] is stopped at the end of the test, and the test
// fails when it leaves anything behind on the machine: a process, a cgroup, a
// mount, a network namespace, a loop device or a file outside its data directory.
//
// Nodes need root, as sandboxes do. [Require] skips a test where something it
// needs is missing, or fails it when HEARTH_TEST_TOOLS=required says that
// everything was installed (as `make test` does).
package testnode
