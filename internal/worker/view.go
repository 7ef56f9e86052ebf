package worker

import (
	"time"

	"github.com/hearthd/hearth/internal/pool"
)

// The states of an environment, as `hearth ps` shows them.
const (
	StateReady  = "ready"  // pre-booted, without code
	StateIdle   = "idle"   // waits for an invocation
	StateFrozen = "frozen" // waits, and uses no CPU
	StateBusy   = "busy"   // runs an invocation
)

// EnvironmentView is one environment at a moment.
type EnvironmentView struct {
	ID          string `json:"id"`
	Runtime     string `json:"runtime"`
	Function    string `json:"function,omitempty"`
	Version     string `json:"version,omitempty"`
	Revision    string `json:"revision,omitempty"`
	State       string `json:"state"`
	MemoryMB    int    `json:"memoryMB"`
	UsedBytes   int64  `json:"usedBytes"`
	AgeSeconds  int64  `json:"ageSeconds"`
	Invocations int64  `json:"invocations"`
	// Provisioned is true while it is kept as provisioned concurrency.
	Provisioned bool `json:"provisioned,omitempty"`
}

// InstanceView is one instance at a moment, of either pool.
type InstanceView struct {
	ID           string            `json:"id"`
	Account      string            `json:"account,omitempty"`
	Pool         string            `json:"pool"` // warming or active
	CapacityMB   int               `json:"capacityMB"`
	AllocatedMB  int               `json:"allocatedMB"`
	Environments []EnvironmentView `json:"environments"`
}

// View shows both pools.
func (m *Manager) View() []InstanceView {
	now := time.Now()
	running := map[*pool.Instance][]EnvironmentView{}
	m.sets.Range(func(_, v any) bool {
		for _, e := range v.(*set).members() {
			running[e.instance] = append(running[e.instance], e.view(now))
		}
		return true
	})
	var all []InstanceView
	add := func(i *pool.Instance, name string) {
		view := InstanceView{
			ID: i.ID(), Account: string(i.Account()), Pool: name,
			CapacityMB: i.Capacity().MemoryMB, AllocatedMB: i.Allocated(),
			Environments: append([]EnvironmentView{}, running[i]...),
		}
		for _, r := range i.Ready() {
			used := int64(0)
			if u, err := r.Usage(); err == nil {
				used = u.MemoryBytes
			}
			view.Environments = append(view.Environments, EnvironmentView{
				ID: r.ID(), Runtime: r.Runtime, State: StateReady, MemoryMB: r.MB,
				UsedBytes: used, AgeSeconds: int64(now.Sub(r.Booted).Seconds()),
			})
		}
		all = append(all, view)
	}
	for _, i := range m.Instances() {
		add(i, "active")
	}
	for _, i := range m.rooms.Pool.Instances() {
		add(i, "warming")
	}
	return all
}

func (e *Environment) view(now time.Time) EnvironmentView {
	v := EnvironmentView{
		ID: e.box.ID(), Runtime: e.set.revision.Config.Runtime, Function: e.set.revision.Name,
		Version: e.set.revision.Version, Revision: e.set.revision.ID, State: StateIdle,
		MemoryMB: e.memory(), AgeSeconds: int64(now.Sub(e.booted).Seconds()), Invocations: e.invocations.Load(), Provisioned: e.kept.Load(),
	}
	if u, err := e.box.Usage(); err == nil {
		v.UsedBytes = u.MemoryBytes
	}
	switch {
	case e.busy.Load():
		v.State = StateBusy
	case e.frozen.Load():
		v.State = StateFrozen
	}
	return v
}
