package rollout

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hearthd/hearth/internal/account"
)

// Whatever comes in between (pauses, aborts, bad versions, hooks that fail,
// other people's changes, nodes killed before and after each change of the
// alias or without having stored it), a roll-out ends where its state says, never
// shows requests to more than its step allows, never goes back but to roll back,
// and never touches an alias that somebody else has changed.
func TestRolloutKeepsItsPromises(t *testing.T) {
	s := openStore(t)
	c := openCatalog(t, s)
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, s, c)
		m := &model{t: t, world: w, r: w.open()}
		defer func() { _ = m.r.Close() }()
		in := Spec{Function: w.name, Alias: "live", To: "2", Steps: rapid.SampledFrom([][]Step{
			{{100, 0}}, {{10, 60}, {100, 0}}, {{10, 60}, {50, 30}, {100, 0}}, {{0, 30}, {20, 60}, {100, 60}},
		}).Draw(t, "steps")}
		if rapid.Bool().Draw(t, "with hooks") {
			in.PreHook, in.PostHook = w.name+":1", w.name+":1"
		}
		made, err := m.r.Start(context.Background(), owner, in)
		if err != nil {
			t.Fatal(err)
		}
		m.id, m.spec = made.ID, in
		m.d = w.drive(m.r)
		t.Repeat(map[string]func(*rapid.T){
			"advance": func(*rapid.T) { m.advance() },
			"time": func(t *rapid.T) {
				d := time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second
				w.pass(d)
				if !m.paused {
					m.run += d
				}
			},
			"pause":  func(*rapid.T) { m.ask(m.r.Pause) },
			"resume": func(*rapid.T) { m.ask(m.r.Resume) },
			"abort": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "really") == 0 && m.ask(m.r.Abort) {
					m.aborted = true
				}
			},
			"good requests": func(*rapid.T) { m.requests(false) },
			"bad requests": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "really") == 0 {
					m.requests(true)
				}
			},
			"kill": func(*rapid.T) { m.restart() },
			"kill at the next change": func(t *rapid.T) {
				w.crash = rapid.SampledFrom([]string{"before", "after"}).Draw(t, "when")
			},
			"somebody else": func(t *rapid.T) {
				if rapid.IntRange(0, 7).Draw(t, "really") == 0 && !m.ended() {
					m.meddled = &routing{version: "3"}
					w.point(*m.meddled)
				}
			},
			"": func(*rapid.T) { m.check() },
		})
		m.finish()
	})
}

type model struct {
	t     *rapid.T
	world *world
	r     *Rollouts
	d     *driver
	id    string
	spec  Spec

	run     time.Duration // not paused
	paused  bool
	aborted bool
	sick    bool // bad requests were answered
	meddled *routing
	highest float64 // weight of the new version so far
	falling bool    // it went down
}

func (m *model) now() *Rollout {
	now, err := m.r.Get(context.Background(), owner, m.id)
	if err != nil {
		m.t.Fatal(err)
	}
	return now
}

func (m *model) ended() bool { return m.now().State.Ended() }

func (m *model) advance() {
	switch err := m.world.advance(m.d); {
	case errors.Is(err, errKilled):
		m.restart()
	case err != nil:
		m.t.Fatal(err)
	}
}

// restart is a node that was killed and starts again: all but the store is new.
func (m *model) restart() {
	m.d.forget()
	if err := m.r.Close(); err != nil {
		m.t.Fatal(err)
	}
	m.r = m.world.open()
	m.d = m.world.drive(m.r)
}

func (m *model) ask(what func(context.Context, account.ID, string) (*Rollout, error)) bool {
	before := m.now().State
	now, err := what(context.Background(), owner, m.id)
	var refused *Error
	switch {
	case errors.As(err, &refused) && refused.Kind == Conflict:
		if m.now().State != before {
			m.t.Fatalf("refused (%v), but the state changed", err)
		}
		return false
	case err != nil:
		m.t.Fatal(err)
	}
	m.paused = now.State == Paused
	return true
}

// requests are some that name the alias, by the alias's weights.
func (m *model) requests(bad bool) {
	at := m.world.alias()
	share := weightOf(at)
	for i := range 60 {
		version := "1"
		switch {
		case share == 1, share > 0 && i%int(math.Round(1/share)) == 0:
			version = "2"
		}
		if bad && version == "2" {
			m.sick = m.sick || at.version != "3"
			m.world.request(version, failing)
		} else {
			m.world.request(version, nil)
		}
	}
}

// weightOf is version 2's part.
func weightOf(at routing) float64 {
	switch {
	case at.version == "2":
		return 1
	case at.additional == "2":
		return at.weight
	}
	return 0
}

func (m *model) check() {
	now, at := m.now(), m.world.alias()
	if m.meddled != nil && now.State != Succeeded && now.State != RolledBack && now.State != Aborted && at != *m.meddled {
		m.t.Fatalf("somebody else let the alias point at %s, and it points at %s in state %s", *m.meddled, at, now.State)
	}
	if m.meddled != nil {
		return
	}
	weight := weightOf(at)
	if weight < m.highest {
		m.falling = true
	}
	if m.falling && weight != 0 {
		m.t.Fatalf("the weight went from %g down and is %g", m.highest, weight)
	}
	if m.falling && now.State != RollingBack && now.State != RolledBack && now.State != Aborted {
		m.t.Fatalf("the weight went down in state %s", now.State)
	}
	m.highest = max(m.highest, weight)
	// What the time that passed allows at most.
	left, allowed := m.run, 0.0
	for _, step := range m.spec.Steps {
		allowed = step.Percent / 100
		if left -= step.duration(); left < 0 {
			break
		}
	}
	if weight > allowed {
		m.t.Fatalf("version 2 gets %g after %s, %g is allowed", weight, m.run, allowed)
	}
	if len(now.Events) > maxEvents {
		m.t.Fatalf("%d events", len(now.Events))
	}
}

// finish lets time pass until the roll-out has ended.
func (m *model) finish() {
	for range 100 {
		m.check()
		if m.ended() {
			break
		}
		if m.now().State == Paused {
			m.ask(m.r.Resume)
		}
		m.world.pass(10 * time.Second)
		m.run += 10 * time.Second
		m.advance()
	}
	now, at := m.now(), m.world.alias()
	switch {
	case now.State == Succeeded && at == routing{version: "2"} && !m.aborted:
	case now.State == RolledBack && at == routing{version: "1"} && m.sick:
	case now.State == Aborted && at == routing{version: "1"} && m.aborted:
	case now.State == Superseded && m.meddled != nil && at == *m.meddled:
	case m.meddled != nil && now.State.Ended() && at == *m.meddled: // it had just ended
	default:
		m.t.Fatalf("ended in state %s (%s) with the alias at %s; aborted %t, sick %t", now.State, now.Reason, at, m.aborted, m.sick)
	}
	if now.Ended == nil {
		m.t.Fatal("it ended, and does not say when")
	}
}
