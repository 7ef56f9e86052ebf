package invoke

import (
	"testing"

	"github.com/hearthd/hearth/internal/worker"
)

// ready counts the pre-booted environments in instances of accounts.
func (h *house) ready() (n int) {
	for _, i := range h.workers.View() {
		for _, e := range i.Environments {
			if i.Pool == "active" && e.State == worker.StateReady {
				n++
			}
		}
	}
	return n
}

// Beside what is at work something stands by, without any deployment, for as long
// as nothing needs its memory: an execution that grows does.
func TestPrebootedEnvironmentsStandByAndGiveWay(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.memoryMB, s.floor = 512, 0 })
	h.createEater("f", 256, map[string]string{"hearth:sizing": "apply"})
	h.invoke("f", "{}")
	h.eventually("an environment stands by", func() bool { return h.ready() == 1 })
	if resp := h.invoke("f", `{"eat": 460}`); resp.FunctionError != "" || resp.Memory != 512 {
		t.Errorf("%s %s with %d MB", resp.FunctionError, resp.Payload, resp.Memory)
	}
	if n := h.ready(); n != 0 {
		t.Errorf("%d stand by where all memory is in use", n)
	}
}
