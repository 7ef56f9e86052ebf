package worker

import (
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

// The keeper boots what is missing, a few at a time, and after a failure one to
// find out whether it works again, later and later.
func TestKeeperBootsWhatIsMissing(t *testing.T) {
	m := &Manager{keeper: newKeeper()}
	k, now := m.keeper, time.Unix(1_800_000_000, 0)
	key, rev := function.Key{Account: "000000000001", Name: "f"}, &function.Revision{ID: "r"}
	missing := func(alive, want int) {
		t.Helper()
		if n := k.missing("r", alive, now); n != want {
			t.Errorf("with %d alive %d boots begin, want %d", alive, n, want)
		}
	}
	missing(0, 0) // nobody wants any

	m.Keep(key, []Kept{{rev, 6}})
	select {
	case <-k.wake:
	default:
		t.Error("the keeper was not woken")
	}
	missing(0, preparing)
	missing(0, 0) // so many are coming
	k.booted("r", nil, now)
	missing(1, 1)
	for range preparing {
		k.booted("r", nil, now)
	}
	missing(5, 1)

	news := m.ProvisionNews()
	k.booted("r", errNoRoom, now)
	select {
	case <-news:
	default:
		t.Error("a failure is no news")
	}
	if p := m.Provisioned("r"); p.Failure != errNoRoom.Error() {
		t.Errorf("provisioned %+v", p)
	}
	missing(0, 0)
	now = now.Add(keepRetry)
	missing(0, 1) // one, to find out
	k.booted("r", errNoRoom, now)
	now = now.Add(keepRetry)
	missing(0, 0) // twice as long
	now = now.Add(keepRetry)
	missing(0, 1)
	k.booted("r", nil, now)
	missing(1, preparing)

	// Asked for more, it does not wait for an earlier failure's time.
	k.booted("r", errNoRoom, now)
	missing(1, 0)
	m.Keep(key, []Kept{{rev, 7}})
	missing(3, 1)

	m.Keep(key, nil)
	missing(0, 0)
	if p := m.Provisioned("r"); p != (Provision{}) {
		t.Errorf("given up: %+v", p)
	}
	if len(k.wants) > 0 || len(k.owned) > 0 {
		t.Errorf("left: %v %v", k.wants, k.owned)
	}
}

func TestKeeperIsPatient(t *testing.T) {
	k := newKeeper()
	k.wants["r"] = &want{Kept: Kept{N: 1}}
	now := time.Unix(1_800_000_000, 0)
	for range 100 {
		k.booted("r", errNoRoom, now)
	}
	if wait := k.wants["r"].retry.Sub(now); wait != keepRetryMost {
		t.Errorf("after many failures it waits %v", wait)
	}
}
