package invoke

import (
	"testing"

	"github.com/hearthd/hearth/internal/worker"
)

// environments lists those in instances of accounts: the pre-booted ones, or all
// others.
func (h *house) environments(ready bool) (ids []string) {
	for _, i := range h.workers.View() {
		for _, e := range i.Environments {
			if i.Pool == "active" && (e.State == worker.StateReady) == ready {
				ids = append(ids, e.ID)
			}
		}
	}
	return ids
}

// Beside what is at work something stands by, without any deployment, for as long
// as nothing needs its memory: an execution that grows does.
func TestPrebootedEnvironmentsStandByAndGiveWay(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.memoryMB, s.floor = 512, 0 })
	h.createEater("f", 256, map[string]string{"hearth:sizing": "apply"})
	h.invoke("f", "{}")
	h.eventually("an environment stands by", func() bool { return len(h.environments(true)) == 1 })
	if resp := h.invoke("f", `{"eat": 460}`); resp.FunctionError != "" || resp.Memory != 512 {
		t.Errorf("%s %s with %d MB", resp.FunctionError, resp.Payload, resp.Memory)
	}
	if n := len(h.environments(true)); n != 0 {
		t.Errorf("%d stand by where all memory is in use", n)
	}
}
