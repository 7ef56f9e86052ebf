package state

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// The errors of a [Bucket]; test with errors.Is.
var (
	ErrNotFound = errors.New("no such key")
	ErrExists   = errors.New("the key exists")
	// ErrConflict says that the key was changed since the revision that the
	// caller had seen.
	ErrConflict = errors.New("the key was changed meanwhile")
)

// Entry is one key at one revision.
type Entry struct {
	Key   string
	Value []byte
	// Revision orders the changes of a bucket and is what to compare and swap
	// with.
	Revision uint64
	// Deleted is true, and Value nil, when the change removed the key.
	Deleted bool
}

// Bucket is a set of keys that change by compare-and-swap.
type Bucket struct {
	store *Store
	kv    jetstream.KeyValue
}

// Bucket opens the bucket of that name, making it when there is none.
func (s *Store) Bucket(ctx context.Context, name string) (*Bucket, error) {
	kv, err := s.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: name, History: 1, Storage: jetstream.FileStorage, MaxValueSize: MaxValue,
	})
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	return &Bucket{store: s, kv: kv}, nil
}

// Get returns the present entry of a key, or ErrNotFound.
func (b *Bucket) Get(ctx context.Context, key string) (Entry, error) {
	e, err := b.kv.Get(ctx, key)
	if err != nil {
		return Entry{}, kind(key, err)
	}
	return Entry{Key: key, Value: e.Value(), Revision: e.Revision()}, nil
}

// Create sets a key that is not there, or fails with ErrExists.
func (b *Bucket) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	rev, err := b.kv.Create(ctx, key, value)
	return rev, kind(key, err)
}

// Put sets a key whatever it was.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	rev, err := b.kv.Put(ctx, key, value)
	return rev, kind(key, err)
}

// Update sets a key that is still at the revision, or fails with ErrConflict.
func (b *Bucket) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	rev, err := b.kv.Update(ctx, key, value, revision)
	if errors.Is(err, jetstream.ErrKeyExists) {
		return 0, fmt.Errorf("%s: %w", key, ErrConflict)
	}
	return rev, kind(key, err)
}

// Delete removes a key that is still at the revision, or fails with ErrConflict.
func (b *Bucket) Delete(ctx context.Context, key string, revision uint64) error {
	err := b.kv.Purge(ctx, key, jetstream.LastRevision(revision))
	if wrongRevision(err) {
		return fmt.Errorf("%s: %w", key, ErrConflict)
	}
	return kind(key, err)
}

// Watch calls f for every key as it is now, returns, and goes on calling f for
// every change, in order, until ctx ends or the store is closed. f is called
// from one goroutine at a time.
func (b *Bucket) Watch(ctx context.Context, f func(Entry)) error {
	w, err := b.kv.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return errors.New("watch: the connection was closed")
			}
			if e == nil { // all present values were delivered
				b.store.wg.Go(func() { b.follow(ctx, w, f) })
				return nil
			}
			f(entry(e))
		case <-ctx.Done():
			return errors.Join(ctx.Err(), w.Stop())
		}
	}
}

func (b *Bucket) follow(ctx context.Context, w jetstream.KeyWatcher, f func(Entry)) {
	defer w.Stop() //nolint:errcheck // the connection may be closed by now
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return
			}
			if e != nil {
				f(entry(e))
			}
		case <-ctx.Done():
			return
		case <-b.store.ctx.Done():
			return
		}
	}
}

func entry(e jetstream.KeyValueEntry) Entry {
	if e.Operation() != jetstream.KeyValuePut {
		return Entry{Key: e.Key(), Revision: e.Revision(), Deleted: true}
	}
	return Entry{Key: e.Key(), Value: e.Value(), Revision: e.Revision()}
}

// kind maps the library's errors to this package's.
func kind(key string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return fmt.Errorf("%s: %w", key, ErrNotFound)
	case errors.Is(err, jetstream.ErrKeyExists):
		return fmt.Errorf("%s: %w", key, ErrExists)
	}
	return fmt.Errorf("%s: %w", key, err)
}

func wrongRevision(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}
