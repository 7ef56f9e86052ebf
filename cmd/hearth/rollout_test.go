package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/client/clienttest"
	"github.com/hearthd/hearth/internal/rollout"
)

func TestRollout(t *testing.T) {
	node := clienttest.Start(t)
	node.Use(t)
	hearth(t, "deploy", pythonProject(t, "hello"))
	node.Calls()
	for _, step := range []struct {
		args []string
		want []string
	}{
		{[]string{"start", "hello", "--alias", "live", "--to", "7"}, []string{"roll-out hello.live.1: alias live from version 1 to 7", "hearth rollout watch hello.live.1"}},
		{[]string{"status", "hello"}, []string{
			"hello.live.1  alias live, version 1 → 7, canary\n", " 10%  stepping, step 1 of 2, 0s left\n",
			"GUARD\tVERSION 1\tVERSION 7\tTOLERATED\tEVIDENCE\nerrors\t-\t-\t+1%\t0 of 500\n", "p99\t-\t-\t+2% above 2x, not known yet\t", "03:04:05  pending       begun\n",
		}},
		{[]string{"pause", "hello"}, []string{"hello.live.1 paused: 10% of the requests of alias live are version 7's\n"}},
		{[]string{"resume", "hello.live.1"}, []string{"resumed"}},
		{[]string{"abort", "hello", "--alias", "live"}, []string{"aborted"}},
		{[]string{"list"}, []string{"ROLLOUT\tALIAS\tFROM\tTO\tSTATE\tNEW\t", "hello.live.1\tlive\t1\t7\tstepping\t10%\tcanary\t2026-01-02T03:04:05Z\t-\n"}},
		{[]string{"list", "other"}, []string{"ROLLOUT\tALIAS\t"}},
		{[]string{"watch", "hello"}, []string{"03:04:05  pending       begun\n03:04:05  stepping      10%\n03:05:05  succeeded     the end\n"}},
		{[]string{"start", "hello", "--alias", "live", "--steps", "5%:1m", "--guard", "none", "--guard", "p99=3x", "-w"}, []string{"succeeded     the end\n"}},
	} {
		out := hearth(t, append([]string{"rollout"}, step.args...)...)
		for _, want := range step.want {
			if !strings.Contains(out, want) {
				t.Errorf("hearth rollout %v prints\n%s\nwant something with %q", step.args, out, want)
			}
		}
	}
	want := []string{
		"roll out hello:live to 7, [], 5 guards", "pause hello.live.1", "resume hello.live.1", "abort hello.live.1",
		"roll out hello:live to , [{5 60} {100 0}], 1 guards",
	}
	if calls := node.Calls(); !slices.Equal(calls, want) {
		t.Errorf("the node was asked %q, want %q", calls, want)
	}
}

// A pipeline that watches fails when the roll-out does.
func TestRolloutWatchFails(t *testing.T) {
	node := clienttest.Start(t)
	node.Use(t)
	node.EndRollouts(rollout.RolledBack)
	out, _, err := run(t, "", "rollout", "start", "hello", "--alias", "live", "--watch", "--json")
	if err == nil || err.Error() != "roll-out hello.live.1 was rolled-back: it was no good" {
		t.Errorf("got %v", err)
	}
	for line := range strings.Lines(out) {
		var r rollout.Rollout
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestRolloutErrorsHelp(t *testing.T) {
	node := clienttest.Start(t)
	node.Use(t)
	hearth(t, "deploy", pythonProject(t, "hello"))
	for args, want := range map[string]string{
		"start hello":                             `required flag(s) "alias" not set`,
		"start hello --alias live --steps 10%":    "say for how long",
		"start hello --alias live --guard mood=1": "there is no guard",
		"status hullo":                            "Did you mean hello?",
		"status hello":                            "has had no roll-out; begin one with `hearth rollout start hello",
		"status hello.live.7":                     "there is no roll-out hello.live.7",
	} {
		if _, _, err := run(t, "", append([]string{"rollout"}, strings.Fields(args)...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("hearth rollout %s: %v, want %q", args, err, want)
		}
	}
}

func TestSituation(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ends := now.Add(90 * time.Second)
	steps := []rollout.Step{{Percent: 10, Seconds: 120}, {Percent: 100}}
	for want, r := range map[string]rollout.Rollout{
		"  pending": {State: rollout.Pending},
		"  stepping, step 1 of 2, environments are being prepared": {State: rollout.Stepping, Steps: steps},
		"  stepping, step 1 of 2, 1m30s left":                      {State: rollout.Stepping, Steps: steps, StepEnds: &ends},
		"  paused, step 2 of 2, 7s left":                           {State: rollout.Paused, Steps: steps, Step: 1, RemainingSeconds: 7},
		"  succeeded":                                              {State: rollout.Succeeded},
	} {
		if got := situation(&r, now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
