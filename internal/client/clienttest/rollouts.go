package clienttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/hearthd/hearth/internal/rollout"
)

// rollouts are those of the double: it has one at a time, which a node would
// drive and this one brings to its end as it is watched.
type rollouts struct {
	current *rollout.Rollout
	end     rollout.State
}

// EndRollouts says how roll-outs end from now on; before, they succeed.
func (n *Node) EndRollouts(state rollout.State) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rollouts.end = state
}

func (n *Node) routeRollouts(mux *http.ServeMux) {
	const path = "/hearth/v1/rollouts"
	mux.HandleFunc("GET "+path, n.listRollouts)
	mux.HandleFunc("POST "+path, n.startRollout)
	mux.HandleFunc("GET "+path+"/{id}", n.getRollout)
	mux.HandleFunc("GET "+path+"/{id}/watch", n.watchRollout)
	mux.HandleFunc("POST "+path+"/{id}/{what}", func(w http.ResponseWriter, r *http.Request) {
		n.called(r.PathValue("what") + " " + r.PathValue("id"))
		n.getRollout(w, r)
	})
}

func (n *Node) listRollouts(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := []*rollout.Rollout{}
	if c := n.rollouts.current; c != nil && (r.URL.Query().Get("function") == "" || r.URL.Query().Get("function") == c.Function) {
		list = append(list, c)
	}
	reply(w, http.StatusOK, map[string]any{"rollouts": list})
}

func (n *Node) startRollout(w http.ResponseWriter, r *http.Request) {
	var spec rollout.Spec
	if err := json.NewDecoder(r.Body).Decode(&spec); err != nil {
		panic(err)
	}
	n.called(fmt.Sprintf("roll out %s:%s to %s, %s%v, %d guards", spec.Function, spec.Alias, spec.To, spec.Strategy, spec.Steps, len(spec.Guards)))
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ends := begun.Add(time.Minute)
	n.mu.Lock()
	defer n.mu.Unlock()
	guards := make([]rollout.GuardStatus, len(spec.Guards))
	for i, g := range spec.Guards {
		guards[i].Guard, guards[i].AlarmAt = g, 500
	}
	n.rollouts.current = &rollout.Rollout{
		ID: spec.Function + "." + spec.Alias + ".1", Function: spec.Function, Alias: spec.Alias, From: "1", To: spec.To,
		Strategy: "canary", Steps: []rollout.Step{{Percent: 10, Seconds: 60}, {Percent: 100}}, State: rollout.Stepping, Percent: 10,
		StepEnds: &ends, Created: begun, Guards: guards,
		Events: []rollout.Event{{N: 1, Time: begun, State: rollout.Pending, Message: "begun"}, {N: 2, Time: begun, State: rollout.Stepping, Message: "10%"}},
	}
	reply(w, http.StatusOK, n.rollouts.current)
}

func (n *Node) getRollout(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.rollouts.current; c != nil && c.ID == r.PathValue("id") {
		reply(w, http.StatusOK, c)
		return
	}
	fail(w, http.StatusNotFound, "", "there is no roll-out "+r.PathValue("id"))
}

func (n *Node) watchRollout(w http.ResponseWriter, _ *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := json.NewEncoder(w)
	c := *n.rollouts.current
	if err := out.Encode(&c); err != nil {
		panic(err)
	}
	c.State, c.StepEnds, c.Reason = rollout.Succeeded, nil, ""
	if n.rollouts.end != "" {
		c.State, c.Reason, c.Percent = n.rollouts.end, "it was no good", 0
	}
	ended := c.Created.Add(time.Minute)
	c.Ended = &ended
	c.Events = append(c.Events[:len(c.Events):len(c.Events)], rollout.Event{N: 3, Time: ended, State: c.State, Message: "the end"})
	n.rollouts.current = &c
	if err := out.Encode(&c); err != nil {
		panic(err)
	}
}
