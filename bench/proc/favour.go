package proc

import (
	"os"
	"strconv"
	"syscall"
)

// favoured is the nice value of [Favour].
const favoured = -15

// Favour lets this process go before others, until what it returns is called.
// It is for a load generator, which stands for clients on other machines: when
// it is late because what it measures has the processors, it measures itself.
// Threads that come into being meanwhile are favoured as well, and so would be
// processes that are started. Without root it does nothing.
func Favour() (end func()) {
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		return func() {}
	}
	renice(favoured)
	return func() { renice(20 - raw) } // the system call adds 20, with the sign turned, to return no negative number
}

// renice sets the nice value of all threads: Linux has one for each.
func renice(nice int) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, t := range tasks {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			syscall.Setpriority(syscall.PRIO_PROCESS, tid, nice) //nolint:errcheck // without root, or the thread has ended
		}
	}
}
