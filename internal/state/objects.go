package state

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nats.go/jetstream"
)

// Objects is a store of large immutable values.
type Objects struct {
	store jetstream.ObjectStore
}

// Objects opens the object store of that name, making it when there is none.
func (s *Store) Objects(ctx context.Context, name string) (*Objects, error) {
	o, err := s.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: name, Storage: jetstream.FileStorage})
	if err != nil {
		return nil, fmt.Errorf("objects %s: %w", name, err)
	}
	return &Objects{store: o}, nil
}

// Put stores what r yields under key, replacing what was there. It is durable
// when Put returns; a reader sees all of it or nothing.
func (o *Objects) Put(ctx context.Context, key string, r io.Reader) error {
	if _, err := o.store.Put(ctx, jetstream.ObjectMeta{Name: key}, r); err != nil {
		return fmt.Errorf("store object %s: %w", key, err)
	}
	return nil
}

// Get opens an object, or fails with ErrNotFound. Its digest is checked at the end.
func (o *Objects) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := o.store.Get(ctx, key)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil, fmt.Errorf("object %s: %w", key, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("object %s: %w", key, err)
	}
	return r, nil
}

// Has tells whether there is such an object.
func (o *Objects) Has(ctx context.Context, key string) (bool, error) {
	_, err := o.store.GetInfo(ctx, key)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Delete removes an object; one that is not there is no error.
func (o *Objects) Delete(ctx context.Context, key string) error {
	err := o.store.Delete(ctx, key)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil
	}
	return err
}

// List returns the keys of all objects.
func (o *Objects) List(ctx context.Context) ([]string, error) {
	infos, err := o.store.List(ctx)
	if errors.Is(err, jetstream.ErrNoObjectsFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list objects: %w", err)
	}
	keys := make([]string, len(infos))
	for i, info := range infos {
		keys[i] = info.Name
	}
	return keys, nil
}
