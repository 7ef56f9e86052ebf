package invoke

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

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
	for b.Loop() {
		resp, err := h.invoker.Invoke(b.Context(), req)
		if err != nil || resp.FunctionError != "" {
			b.Fatal(err, resp)
		}
		resp.Finish()
	}
}
