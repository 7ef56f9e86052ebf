package invoke

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/hearthd/hearth/internal/function"
)

// BenchmarkWarm is an invocation of a warm echo function built on
// aws-lambda-go, without the API in front: what the rooms below it cost.
func BenchmarkWarm(b *testing.B) {
	h := newHouse(b, nil)
	binary := filepath.Join(b.TempDir(), "bootstrap")
	build := exec.Command("go", "build", "-o", binary, "../../bench/functions/echo")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		b.Fatal(err)
	}
	h.create("echo", function.Configuration{Runtime: "provided.al2023", Handler: "bootstrap", Memory: 1769}, "bootstrap", string(program))
	req := &Request{Account: testAccount, Name: "echo", RequestID: uuid.NewString(), Payload: []byte(`{"message":"` + strings.Repeat("x", 1000) + `"}`)}
	b.ReportAllocs()
	before := nodeCPU(b)
	for b.Loop() {
		resp, err := h.invoker.Invoke(b.Context(), req)
		if err != nil || resp.FunctionError != "" {
			b.Fatal(err, resp)
		}
		resp.Finish()
	}
	b.ReportMetric(float64(nodeCPU(b)-before)/float64(b.N), "cpu-ns/op")
}

// nodeCPU is the time that this process, and not its environments, was on a
// processor: a figure that other programs on the machine hardly change.
func nodeCPU(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
