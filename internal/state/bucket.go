package state

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The errors of [Bucket] and [Objects]; test with errors.Is.
var (
	ErrNotFound = errors.New("no such key")
	ErrExists   = errors.New("the key exists")
	// ErrConflict says that the key was changed since the revision that the
	// caller had seen.
	ErrConflict = errors.New("the key was changed meanwhile")
	ErrTooLarge = fmt.Errorf("the value is larger than %d bytes", MaxValue)
)

// Entry is one key at one revision.
type Entry struct {
	Key string
	// Value is the receiver's to keep, and to change.
	Value []byte
	// Revision orders the changes of a bucket and is what to compare and swap
	// with.
	Revision uint64
	// Deleted is true, and Value nil, when the change removed the key.
	Deleted bool
}

// Bucket is a set of keys that change by compare-and-swap. A key is made of
// letters, digits and -/_=. with no dot at either end. Bucket is safe for
// concurrent use.
type Bucket struct {
	store *Store
	name  string
	kv    jetstream.KeyValue
}

// Bucket opens the bucket of that name, making it when there is none.
func (s *Store) Bucket(ctx context.Context, name string) (*Bucket, error) {
	kv, err := s.js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		// Only now, and not "create or update": what was changed on a cluster,
		// the number of replicas for one, stays as it is.
		kv, err = s.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: name, History: 1, Storage: jetstream.FileStorage,
			MaxValueSize: MaxValue + headroom,
		})
	}
	if errors.Is(err, jetstream.ErrBucketExists) {
		kv, err = s.js.KeyValue(ctx, name) // another node was faster
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	return &Bucket{store: s, name: name, kv: kv}, nil
}

// MaxKept is how many revisions of a key a bucket can keep at most.
const MaxKept = jetstream.KeyValueMaxHistory

// BucketWithPast is Bucket for one that keeps the last MaxKept revisions of
// each key; see [Bucket.Past]. A bucket made without a past begins to have one.
func (s *Store) BucketWithPast(ctx context.Context, name string) (*Bucket, error) {
	return s.bucketAs(ctx, name, func(config *jetstream.StreamConfig) { config.MaxMsgsPerSubject = MaxKept })
}

// BucketWithAge is Bucket for one whose keys are gone once they were not set for
// that long. A bucket made with another age changes to this one. An older
// revision of a key is gone before a newer one is, so that none comes to life
// again.
func (s *Store) BucketWithAge(ctx context.Context, name string, age time.Duration) (*Bucket, error) {
	return s.bucketAs(ctx, name, func(config *jetstream.StreamConfig) { config.MaxAge = age })
}

// bucketAs is Bucket for one whose configuration set changes. Nothing else of
// it is touched: what was changed on a cluster stays.
func (s *Store) bucketAs(ctx context.Context, name string, set func(*jetstream.StreamConfig)) (*Bucket, error) {
	b, err := s.Bucket(ctx, name)
	if err != nil {
		return nil, err
	}
	stream, err := s.js.Stream(ctx, "KV_"+name)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	before := stream.CachedInfo().Config
	config := before
	set(&config)
	if reflect.DeepEqual(config, before) {
		return b, nil
	}
	if _, err := s.js.UpdateStream(ctx, config); err != nil {
		return nil, fmt.Errorf("bucket %s: change what it keeps: %w", name, err)
	}
	return b, nil
}

// Past returns the revisions of a key that are kept, the oldest first and the
// present one last, since it was set for the first time or deleted last; none
// when there is no such key.
func (b *Bucket) Past(ctx context.Context, key string) ([]Entry, error) {
	kept, err := b.kv.History(ctx, key)
	switch {
	case ctx.Err() != nil: // it may have returned a part
		return nil, b.wrap(key, ctx.Err(), nil)
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return nil, nil
	case err != nil:
		return nil, b.wrap(key, err, nil)
	}
	past := make([]Entry, 0, len(kept))
	for _, k := range kept {
		if e := entry(k); e.Deleted {
			past = past[:0]
		} else {
			past = append(past, e)
		}
	}
	return past, nil
}

// Get returns the present entry of a key, or ErrNotFound.
func (b *Bucket) Get(ctx context.Context, key string) (Entry, error) {
	e, err := b.kv.Get(ctx, key)
	if err != nil {
		return Entry{}, b.wrap(key, err, nil)
	}
	return Entry{Key: key, Value: e.Value(), Revision: e.Revision()}, nil
}

// Create sets a key that is not there, or fails with ErrExists.
func (b *Bucket) Create(ctx context.Context, key string, value []byte) (revision uint64, err error) {
	if len(value) > MaxValue {
		return 0, b.wrap(key, ErrTooLarge, nil)
	}
	revision, err = b.kv.Create(ctx, key, value)
	return revision, b.wrap(key, err, ErrExists)
}

// Put sets a key whatever it was.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) (revision uint64, err error) {
	if len(value) > MaxValue {
		return 0, b.wrap(key, ErrTooLarge, nil)
	}
	revision, err = b.kv.Put(ctx, key, value)
	return revision, b.wrap(key, err, nil)
}

// Update sets a key that is still at the revision, or fails with ErrConflict.
func (b *Bucket) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	if len(value) > MaxValue {
		return 0, b.wrap(key, ErrTooLarge, nil)
	}
	revision, err := b.kv.Update(ctx, key, value, revision)
	return revision, b.wrap(key, err, ErrConflict)
}

// Delete removes a key that is still at the revision, or fails with ErrConflict.
//
// It leaves a marker of some 200 bytes behind, for good. The marker must not
// expire: the server does not write down that a newer revision displaced an
// older one, and when it has to read its files from end to end, as it does
// after kill -9, an older revision without a newer one would be alive again.
func (b *Bucket) Delete(ctx context.Context, key string, revision uint64) error {
	err := b.kv.Purge(ctx, key, jetstream.LastRevision(revision))
	return b.wrap(key, err, ErrConflict)
}

// wrap says whose error it is, and which of this package's: mismatch is what
// it means that the key is not at the expected revision.
func (b *Bucket) wrap(key string, err, mismatch error) error {
	if err == nil {
		return nil
	}
	var api *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound): // deleted ones included
		err = ErrNotFound
	case errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant):
		err = mismatch
	}
	return fmt.Errorf("%s/%s: %w", b.name, key, err)
}
