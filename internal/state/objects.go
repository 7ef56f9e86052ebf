package state

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nats.go/jetstream"
)

// chunkBytes is how much of an object is one message.
const chunkBytes = 512 << 10

// Objects is a store of large values, by key: any string but the empty one. It
// is safe for concurrent use.
//
// An object is its chunks, which are messages of a stream under a subject that
// is the upload's own, and an entry in a bucket, the index, that names the
// upload. The entry comes last when an object is put, and goes first when one
// is deleted, so that a reader sees all of an object or nothing, whatever ends
// either half way. The chunks that are left over then are swept when a node
// opens the store.
type Objects struct {
	store  *Store
	name   string
	index  *Bucket
	chunks jetstream.Stream
	swept  chan struct{} // closed when the sweep is over
}

// object is an entry of the index.
type object struct {
	Upload upload `json:"upload"`
	Size   int64  `json:"size"`
	Chunks int    `json:"chunks"`
	SHA256 []byte `json:"sha256"`
}

// Objects opens the object store of that name, making it when there is none.
func (s *Store) Objects(ctx context.Context, name string) (*Objects, error) {
	index, err := s.Bucket(ctx, name+"-objects")
	if err != nil {
		return nil, err
	}
	o := &Objects{store: s, name: name, index: index, swept: make(chan struct{})}
	stream := "OBJECTS_" + name
	o.chunks, err = s.js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		// The same configuration from two nodes at once is no error.
		o.chunks, err = s.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: stream, Subjects: []string{o.subject("*", "*")}, Storage: jetstream.FileStorage,
			MaxMsgSize: chunkBytes + headroom, Discard: jetstream.DiscardNew, AllowDirect: true,
		})
	}
	if err != nil {
		return nil, fmt.Errorf("objects %s: %w", name, err)
	}
	if !s.own(func() {
		defer close(o.swept)
		if err := o.sweep(s.ctx); err != nil && s.ctx.Err() == nil {
			s.log.Warn("state: what unfinished uploads left was not removed", "objects", name, "error", err)
		}
	}) {
		return nil, fmt.Errorf("objects %s: the state is closed", name)
	}
	return o, nil
}

// Put stores what r yields under key, replacing what was there. When it returns
// nil the object is durable. When it fails, the object is what it was, or
// already the new one if the failure came after everything was written.
func (o *Objects) Put(ctx context.Context, key string, r io.Reader) error {
	made, err := o.upload(ctx, r)
	if err == nil {
		err = o.publish(ctx, key, made)
	}
	if err != nil {
		return fmt.Errorf("put object %s/%s: %w", o.name, key, err)
	}
	return nil
}

// publish makes the index name an object whose chunks are there.
func (o *Objects) publish(ctx context.Context, key string, made object) error {
	value, err := json.Marshal(made)
	if err != nil {
		return err
	}
	for {
		old, e, err := o.lookup(ctx, key)
		switch {
		case errors.Is(err, ErrNotFound):
			_, err = o.index.Create(ctx, indexKey(key), value)
		case err == nil:
			_, err = o.index.Update(ctx, indexKey(key), value, e.Revision)
		}
		switch {
		case errors.Is(err, ErrExists), errors.Is(err, ErrConflict):
			continue // somebody else put it meanwhile
		case err != nil:
			return err // the entry may have been written, so the chunks stay
		}
		if old.Upload != "" {
			// The object is stored. If this fails, the next sweep does it.
			_ = o.discard(ctx, old.Upload)
		}
		return nil
	}
}

// Get opens an object, or fails with ErrNotFound. Reading ends with an error
// when the object was replaced or deleted meanwhile, when it is damaged, or
// when ctx ends. A slow reader keeps nothing waiting.
func (o *Objects) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	found, _, err := o.lookup(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("get object %s/%s: %w", o.name, key, err)
	}
	return newReader(ctx, o, key, found), nil
}

// Has tells whether there is such an object.
func (o *Objects) Has(ctx context.Context, key string) (bool, error) {
	_, _, err := o.lookup(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Delete removes an object; one that is not there is no error.
func (o *Objects) Delete(ctx context.Context, key string) error {
	for {
		old, e, err := o.lookup(ctx, key)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err == nil {
			err = o.index.Delete(ctx, indexKey(key), e.Revision)
		}
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err == nil {
			err = o.discard(ctx, old.Upload)
		}
		if err != nil {
			return fmt.Errorf("delete object %s/%s: %w", o.name, key, err)
		}
		return nil
	}
}

// List returns the keys of all objects, in no order.
func (o *Objects) List(ctx context.Context) ([]string, error) {
	entries, err := o.index.kv.ListKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("list objects %s: %w", o.name, err)
	}
	var keys []string
	for entry := range entries.Keys() {
		key, err := base64.RawURLEncoding.DecodeString(entry)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("list objects %s: %s: %w", o.name, entry, err), entries.Stop())
		}
		keys = append(keys, string(key))
	}
	return keys, ctx.Err()
}

// lookup reads the index.
func (o *Objects) lookup(ctx context.Context, key string) (object, Entry, error) {
	e, err := o.index.Get(ctx, indexKey(key))
	if err != nil {
		return object{}, Entry{}, err
	}
	found, err := parseObject(e)
	return found, e, err
}

func parseObject(e Entry) (object, error) {
	var found object
	if err := json.Unmarshal(e.Value, &found); err != nil {
		return object{}, fmt.Errorf("index entry %s: %w", e.Key, err)
	}
	return found, nil
}

func indexKey(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }
