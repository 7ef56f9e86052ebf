package state_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/state"
)

// Of several that want a lease one leads at a time; when it steps down,
// another one follows, and none leads once all have stepped down.
func TestLeadOneAtATime(t *testing.T) {
	s := open(t, state.Options{Dir: t.TempDir()})
	var leading, terms atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		mine, stepDown := context.WithCancel(ctx)
		wg.Go(func() {
			defer stepDown()
			err := s.Lead(mine, state.Lease{Name: "crown", Holder: name, TTL: 300 * time.Millisecond}, func(ctx context.Context) {
				if n := leading.Add(1); n != 1 {
					t.Errorf("%d lead", n)
				}
				if terms.Add(1) == 5 {
					cancel()
				}
				leading.Add(-1)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if terms.Load() < 5 {
		t.Errorf("%d terms", terms.Load())
	}
}

// A lease that is not renewed passes on, and its former holder is told.
func TestLeadPassesOn(t *testing.T) {
	s := open(t, state.Options{Dir: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	bucket, err := s.Bucket(ctx, "leases")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Create(ctx, "crown", []byte("somebody who died")); err != nil {
		t.Fatal(err)
	}
	leads, lost, wins := make(chan struct{}), make(chan struct{}), 0
	var wg sync.WaitGroup
	wg.Go(func() {
		err := s.Lead(ctx, state.Lease{Name: "crown", Holder: "heir", TTL: 300 * time.Millisecond}, func(held context.Context) {
			if wins++; wins > 1 {
				return
			}
			close(leads)
			<-held.Done()
			close(lost)
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-leads
	// Usurped: compare-and-swap says so at the next renewal.
	if _, err := bucket.Put(ctx, "crown", []byte("usurper")); err != nil {
		t.Fatal(err)
	}
	<-lost
	cancel()
	wg.Wait()
}

// A node that comes back has its lease at once.
func TestLeadOwnLease(t *testing.T) {
	s := open(t, state.Options{Dir: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	bucket, err := s.Bucket(ctx, "leases")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Create(ctx, "crown", []byte("node")); err != nil {
		t.Fatal(err)
	}
	// Were it not at once, it would be in an hour.
	if err := s.Lead(ctx, state.Lease{Name: "crown", Holder: "node", TTL: time.Hour}, func(context.Context) { cancel() }); err != nil {
		t.Fatal(err)
	}
}
