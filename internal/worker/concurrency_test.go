package worker

import (
	"sync"
	"testing"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
)

func TestConcurrencyLimits(t *testing.T) {
	const owner = account.ID("000000000001")
	c := NewConcurrency(func(account.ID) int { return 5 })
	c.Changed(function.Key{Account: owner, Name: "reserved"}, 2)

	admit := func(function string, reserved int, want Reason) Admission {
		t.Helper()
		a, reason := c.Admit(owner, function, reserved, 0)
		if reason != want {
			t.Fatalf("Admit(%s) = %q, want %q", function, reason, want)
		}
		return a
	}
	// Two of five are reserved: the others share three.
	first := admit("a", -1, "")
	admit("a", -1, "")
	admit("b", -1, "")
	admit("b", -1, ReasonAccount)
	// The reservation is untouched by that, and is a limit as well.
	admit("r", 2, "")
	held := admit("r", 2, "")
	admit("r", 2, ReasonReserved)
	held.Done()
	admit("r", 2, "")
	// What ends makes room.
	first.Done()
	admit("b", -1, "")
	admit("b", -1, ReasonAccount)
	// A reservation of zero lets nothing run.
	admit("z", 0, ReasonReserved)
	// A reservation that is given up goes back to all.
	c.Changed(function.Key{Account: owner, Name: "reserved"}, -1)
	admit("b", -1, "")
	// What is provisioned runs, however much others run; beyond it, a function
	// is one of them.
	c.Changed(function.Key{Account: owner, Name: "provisioned"}, 1)
	admit("b", -1, ReasonAccount)
	if _, reason := c.Admit(owner, "p", -1, 1); reason != "" {
		t.Errorf("a provisioned invocation: %q", reason)
	}
	if _, reason := c.Admit(owner, "p", -1, 1); reason != ReasonAccount {
		t.Errorf("one more than provisioned: %q", reason)
	}

	// Another account has limits of its own.
	if _, reason := c.Admit("000000000002", "a", -1, 0); reason != "" {
		t.Errorf("another account: %q", reason)
	}
}

func TestConcurrencyNeverExceedsTheLimit(t *testing.T) {
	const limit, clients, rounds = 7, 32, 500
	c := NewConcurrency(func(account.ID) int { return limit })
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range rounds {
				a, reason := c.Admit("000000000001", "f", -1, 0)
				if reason != "" {
					continue
				}
				if n := c.Running("000000000001"); n > limit+clients {
					t.Errorf("%d run at once", n)
				}
				a.Done()
			}
		})
	}
	wg.Wait()
	if n := c.Running("000000000001"); n != 0 {
		t.Errorf("%d still count after all have ended", n)
	}
}
