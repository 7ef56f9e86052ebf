package proc

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"testing"
)

func TestProcesses(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "sleep 1000 & cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for len(Descendants(cmd.Process.Pid)) < 2 {
		runtime.Gosched() // the shell is starting them
	}
	all := Descendants(os.Getpid())
	for _, pid := range append(Descendants(cmd.Process.Pid), cmd.Process.Pid) {
		if !slices.Contains(all, pid) {
			t.Errorf("%d is not among %v", pid, all)
		}
	}
	for _, pid := range Descendants(cmd.Process.Pid) {
		if p, err := os.FindProcess(pid); err == nil {
			p.Kill() //nolint:errcheck // it may have ended
		}
	}
	in.Close()
	cmd.Wait() //nolint:errcheck // killed

	working, resting := Busy()
	before := CPUOf(os.Getpid())
	for CPUOf(os.Getpid()).Since(before) == 0 {
		sha256.Sum256(make([]byte, 1<<20)) // takes time
	}
	for BusySince(working, resting) == 0 {
		sha256.Sum256(make([]byte, 1<<20)) // it takes time until the kernel counts it
	}
	if busy := BusySince(working, resting); !(0 < busy && busy <= 1) {
		t.Errorf("busy for %v of the time", busy)
	}
	if busy := BusySince(Busy()); !(0 <= busy && busy <= 1) {
		t.Errorf("busy for %v of no time", busy)
	}
}

func TestMemoryOfAProcess(t *testing.T) {
	if MemInfo("MemAvailable") <= 0 || RSS(os.Getpid()) <= 0 || USS(os.Getpid()) <= 0 || USS(os.Getpid()) > RSS(os.Getpid()) {
		t.Errorf("available %d, RSS %d, USS %d", MemInfo("MemAvailable"), RSS(os.Getpid()), USS(os.Getpid()))
	}
}

func TestFavour(t *testing.T) {
	nice := func() string { return stat(os.Getpid())[16] }
	before := nice()
	end := Favour()
	switch nice() {
	case strconv.Itoa(favoured):
	case before:
		t.Log("this process may not be favoured")
	default:
		t.Errorf("nice is %s", nice())
	}
	end()
	if got := nice(); got != before {
		t.Errorf("nice is %s again, and was %s", got, before)
	}
}
