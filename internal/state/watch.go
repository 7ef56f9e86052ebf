package state

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Watch calls f for every key as it is now, returns, and goes on calling f for
// every change, in the order of the revisions, until ctx ends or the store is
// closed: no call begins after that. f is always called from the same
// goroutine, which the store owns; while f is busy, changes wait.
//
// Of several changes of a key that come fast, only the last may be told.
func (b *Bucket) Watch(ctx context.Context, f func(Entry)) error {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(b.store.ctx, cancel)
	present := make(chan error, 1)
	owned := b.store.own(func() {
		defer cancel()
		defer stop()
		b.watch(ctx, f, present)
	})
	if !owned {
		cancel()
		return fmt.Errorf("watch bucket %s: the state is closed", b.name)
	}
	if err := <-present; err != nil {
		return fmt.Errorf("watch bucket %s: %w", b.name, err)
	}
	return nil
}

// watch sends to present once, when all present values were delivered or can't
// be.
func (b *Bucket) watch(ctx context.Context, f func(Entry), present chan<- error) {
	w, err := b.kv.WatchAll(ctx)
	if err != nil {
		present <- err
		return
	}
	defer unwatch(w)
	loading := true
	for {
		select {
		case e, ok := <-w.Updates():
			switch {
			case ok && ctx.Err() != nil:
				// Both were ready; the next round finds the end.
			case ok && e != nil:
				f(entry(e))
			case ok: // the mark after the present values
				present <- nil
				loading = false
			case loading:
				present <- errors.Join(ctx.Err(), errors.New("the subscription ended"))
				return
			case ctx.Err() == nil:
				b.store.log.Error("state: a watch ended, this node will not learn of changes any more; restart it", "bucket", b.name)
				return
			default:
				return
			}
		case <-ctx.Done():
			if loading {
				present <- ctx.Err()
			}
			return
		}
	}
}

// Each calls f for every key as it is now, until f fails, if the key has the
// parts of pattern: between dots, with * for any one, and > for
// one or more at the end.
func (b *Bucket) Each(ctx context.Context, pattern string, f func(Entry) error) error {
	w, err := b.kv.Watch(ctx, pattern, jetstream.IgnoreDeletes())
	if err != nil {
		return err
	}
	defer unwatch(w)
	for {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return errors.Join(ctx.Err(), errors.New("the subscription ended"))
			case e == nil: // the mark after the present values
				return nil
			}
			if err := f(entry(e)); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// unwatch also waits for the library's goroutine, which may be about to hand
// out one more change and ends by closing the channel.
func unwatch(w jetstream.KeyWatcher) {
	if w.Stop() != nil {
		return // the connection is closed, and the subscription with it
	}
	for range w.Updates() {
		// It is told to nobody.
	}
}

func entry(e jetstream.KeyValueEntry) Entry {
	if e.Operation() != jetstream.KeyValuePut {
		return Entry{Key: e.Key(), Revision: e.Revision(), Deleted: true}
	}
	return Entry{Key: e.Key(), Value: e.Value(), Revision: e.Revision()}
}
