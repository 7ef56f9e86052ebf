package deploy

import (
	"testing"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/worker"
)

func TestNeeds(t *testing.T) {
	old, next := &function.Revision{ID: "old"}, &function.Revision{ID: "new"}
	type loads map[string]worker.Load
	for _, c := range []struct {
		name          string
		from, to      []share
		loads         loads
		before, after map[string]int
	}{
		{"nothing has environments", []share{{old, 1}}, []share{{next, 1}}, loads{}, nil, nil},
		{"an idle function gets one", []share{{old, 1}}, []share{{next, 1}},
			loads{"old": {Environments: 3}}, map[string]int{"new": 1}, map[string]int{"new": 1}},
		{"as many as the load needs, not as there are", []share{{old, 1}}, []share{{next, 1}},
			loads{"old": {Environments: 40, Busy: 4}}, map[string]int{"new": 10}, map[string]int{"new": 10}},
		{"never more than there are", []share{{old, 1}}, []share{{next, 1}},
			loads{"old": {Environments: 5, Busy: 4}}, map[string]int{"new": 5}, map[string]int{"new": 5}},
		{"a part of the load", []share{{old, 1}}, []share{{old, 0.75}, {next, 0.25}},
			loads{"old": {Environments: 20, Busy: 4}}, map[string]int{"old": 1, "new": 5}, map[string]int{"old": 9, "new": 5}},
		{"what is asked for by number besides", []share{{old, 1}}, []share{{next, 1}},
			loads{"old": {Environments: 20, Busy: 1}, "new": {Environments: 3, Busy: 3}}, map[string]int{"new": 10}, map[string]int{"new": 10}},
		{"back to what lives still", []share{{old, 1}}, []share{{next, 1}},
			loads{"old": {Environments: 20, Busy: 4}, "new": {Environments: 2, Leaving: true}}, map[string]int{"new": 1}, map[string]int{"new": 10}},
		{"all to what takes most already", []share{{old, 0.9}, {next, 0.1}}, []share{{old, 1}},
			loads{"old": {Environments: 8, Busy: 4}, "new": {Environments: 4, Busy: 1}}, map[string]int{"old": 1}, map[string]int{"old": 12}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := needsOf(c.from, c.to, func(id string) worker.Load { return c.loads[id] })
			if len(got) != len(c.before) {
				t.Fatalf("%d needs, want %d", len(got), len(c.before))
			}
			for _, n := range got {
				if id := n.revision.ID; n.before != c.before[id] || n.after != c.after[id] || n.beside != "old" {
					t.Errorf("%s needs %d before and %d after, want %d and %d; beside %s", id, n.before, n.after, c.before[id], c.after[id], n.beside)
				}
			}
		})
	}
}
