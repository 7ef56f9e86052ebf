package state

import (
	"context"
	"errors"
	"time"
)

// leaseBucket holds a key for each lease, whose value is its holder.
const leaseBucket = "leases"

// DefaultLeaseTTL is how long a lease outlives a holder that is gone.
const DefaultLeaseTTL = 10 * time.Second

// Lease is the right to be the only one, of all nodes of one state, who does
// something.
type Lease struct {
	// Name says what for; it is a key of a bucket.
	Name string
	// Holder names the node, and nothing else that may run at the same time: a
	// node that was killed takes its own lease back without waiting.
	Holder string
	// TTL is for how long the lease stays with a holder that does not renew it;
	// 0 is DefaultLeaseTTL.
	TTL time.Duration
}

// Lead waits for the lease and calls f while it is held; again, when it was
// lost and won back; until ctx ends. The context that f gets ends when the
// lease is lost or ctx ends, and f must return then.
//
// No clocks are compared: a holder gives up when it could not renew its lease
// for two thirds of the TTL, and others take it when they saw no renewal for
// all of it. A holder that was stopped as a whole (a suspended machine) can
// find out late; what f writes must be compared and swapped.
func (s *Store) Lead(ctx context.Context, l Lease, f func(context.Context)) error {
	if l.TTL == 0 {
		l.TTL = DefaultLeaseTTL
	}
	bucket, err := s.Bucket(ctx, leaseBucket)
	if err != nil {
		return err
	}
	c := &candidate{Lease: l, bucket: bucket}
	tick := time.NewTicker(l.TTL / 3)
	defer tick.Stop()
	for {
		won, err := c.claim(ctx)
		switch {
		case won:
			c.hold(ctx, tick, f)
		case err != nil && ctx.Err() == nil:
			s.log.Warn("state: a lease can't be had; trying again", "lease", l.Name, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// candidate is somebody who wants a lease, or has it.
type candidate struct {
	Lease
	bucket   *Bucket
	revision uint64    // of the entry last seen
	since    time.Time // when it was seen first
}

// claim takes the lease if it is nobody's, our own, or was not renewed.
func (c *candidate) claim(ctx context.Context) (won bool, err error) {
	now := time.Now()
	e, err := c.bucket.Get(ctx, c.Name)
	switch {
	case errors.Is(err, ErrNotFound):
		c.revision, err = c.bucket.Create(ctx, c.Name, []byte(c.Holder))
	case err != nil:
		return false, err
	case len(e.Value) > 0 && string(e.Value) != c.Holder && !c.expired(e.Revision, now):
		return false, nil
	default:
		c.revision, err = c.bucket.Update(ctx, c.Name, []byte(c.Holder), e.Revision)
	}
	if errors.Is(err, ErrExists) || errors.Is(err, ErrConflict) {
		return false, nil // somebody was faster
	}
	c.since = now
	return err == nil, err
}

// expired tells whether the entry has been the same for the whole TTL.
func (c *candidate) expired(revision uint64, now time.Time) bool {
	if revision != c.revision {
		c.revision, c.since = revision, now
		return false
	}
	return now.Sub(c.since) >= c.TTL
}

// hold runs f and renews the lease until f returns, the lease is lost or ctx
// ends, and gives it back.
func (c *candidate) hold(ctx context.Context, tick *time.Ticker, f func(context.Context)) {
	held, lose := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(held)
	}()
	for {
		select {
		case <-done:
			lose()
			c.giveBack(ctx)
			return
		case <-ctx.Done():
			lose()
			<-done
			c.giveBack(ctx)
			return
		case <-tick.C:
			if !c.renew(ctx) {
				lose()
				<-done
				return
			}
		}
	}
}

// renew is false when the lease is somebody else's, or may be soon.
func (c *candidate) renew(ctx context.Context) bool {
	began := time.Now()
	left := c.TTL*2/3 - began.Sub(c.since)
	trying, cancel := context.WithTimeout(ctx, max(left, c.TTL/6))
	defer cancel()
	revision, err := c.bucket.Update(trying, c.Name, []byte(c.Holder), c.revision)
	switch {
	case err == nil:
		c.revision, c.since = revision, began
		return true
	case errors.Is(err, ErrConflict):
		return false
	}
	return time.Since(c.since) < c.TTL*2/3
}

// giveBack leaves the lease to whoever comes first. If that fails, it expires.
func (c *candidate) giveBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.TTL/3)
	defer cancel()
	_, _ = c.bucket.Update(ctx, c.Name, nil, c.revision)
}
