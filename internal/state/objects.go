package state

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// chunkBytes is how much of an object is one message.
const chunkBytes = 512 << 10

// Objects is a store of large values, by key: any string but the empty one. It
// is safe for concurrent use.
//
// An object is its chunks, which are messages of a stream under a subject that
// is the upload's own, and an entry in a bucket, the index, that names the
// upload. The entry comes last, so that a reader sees all of an object or
// nothing, whatever ends an upload half way.
//
// Chunks that no entry names are strays. Whoever is about to make some, by
// beginning to upload or by taking away an entry, first notes that in the
// index; notes that were left behind are followed up when a store is opened.
type Objects struct {
	name   string
	index  *Bucket
	js     jetstream.JetStream
	chunks jetstream.Stream
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
	o := &Objects{name: name, index: index, js: s.js}
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
	others := s.server == nil // who may be uploading right now
	if err := o.sweep(ctx, others); err != nil {
		return nil, fmt.Errorf("objects %s: sweep: %w", name, err)
	}
	return o, nil
}

// Put stores what r yields under key, replacing what was there. When it returns
// nil the object is durable. When it fails, the object is what it was, or
// already the new one if the failure came after everything was written.
func (o *Objects) Put(ctx context.Context, key string, r io.Reader) error {
	if err := o.put(ctx, key, r); err != nil {
		return fmt.Errorf("put object %s/%s: %w", o.name, key, err)
	}
	return nil
}

func (o *Objects) put(ctx context.Context, key string, r io.Reader) error {
	made, err := o.upload(ctx, key, r)
	if err != nil {
		return err
	}
	value, err := json.Marshal(made)
	if err != nil {
		return err
	}
	for {
		old, e, err := o.lookup(ctx, key)
		switch {
		case errors.Is(err, ErrNotFound):
			_, err = o.index.Create(ctx, indexKey(key), value)
		case err != nil:
			return err
		default:
			if err := o.note(ctx, old.Upload, key); err != nil {
				return err
			}
			_, err = o.index.Update(ctx, indexKey(key), value, e.Revision)
		}
		switch {
		case errors.Is(err, ErrExists), errors.Is(err, ErrConflict):
			continue // somebody else put it meanwhile
		case err != nil:
			return err // and the note stays: who knows whether it was written
		}
		// The object is there. What fails from here on is done at the next start.
		_ = o.settle(ctx, made.Upload)
		if old.Upload != "" {
			_ = o.discard(ctx, old.Upload)
		}
		return nil
	}
}

// Get opens an object, or fails with ErrNotFound. Reading ends with an error
// when the object was replaced or deleted meanwhile, when it is damaged, or
// when ctx ends. A reader holds no more than one chunk in memory and nothing
// that must be given back, but Close it anyway.
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
			err = o.note(ctx, old.Upload, key)
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
	entries, err := o.index.keys(ctx, indexPrefix)
	if err != nil {
		return nil, fmt.Errorf("list objects %s: %w", o.name, err)
	}
	keys := make([]string, len(entries))
	for i, entry := range entries {
		key, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(entry, indexPrefix))
		if err != nil {
			return nil, fmt.Errorf("list objects %s: %w", o.name, err)
		}
		keys[i] = string(key)
	}
	return keys, nil
}

// lookup reads the index.
func (o *Objects) lookup(ctx context.Context, key string) (object, Entry, error) {
	e, err := o.index.Get(ctx, indexKey(key))
	if err != nil {
		return object{}, Entry{}, err
	}
	var found object
	if err := json.Unmarshal(e.Value, &found); err != nil {
		return object{}, Entry{}, fmt.Errorf("its entry is damaged: %w", err)
	}
	return found, e, nil
}

// The keys of the index.
const (
	indexPrefix = "object."
	notePrefix  = "stray."
)

func indexKey(key string) string {
	return indexPrefix + base64.RawURLEncoding.EncodeToString([]byte(key))
}
