// Package fault holds the test that kills nodes. A few clients create,
// change and invoke functions; at moments drawn from a seed the node is killed
// by SIGKILL and started again on the same data. Then
//
//   - everything that was acknowledged (a 2xx answer had arrived) is there,
//     and what was under way when the node died is there or not, but whole;
//   - every function answers, by the code it is said to have;
//   - nothing is left of the killed node on the machine: no process, cgroup,
//     mount, loop device or directory.
//
// HEARTH_FAULT_SEED repeats a run's choices, HEARTH_FAULT_ROUNDS makes more of
// them.
package fault
