package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hearthd/hearth/internal/state"
)

// Options configure a [Registry].
type Options struct {
	// KeyFile holds the master key, 32 bytes. It is made, readable by its owner
	// only, when there is none and no secret yet that it would be needed for.
	KeyFile string
	// Log is told of records that come from other nodes and can't be read; nil
	// is nobody.
	Log *slog.Logger
}

// Registry is the accounts and keys. It is safe for concurrent use. What a
// method changed is in what every method of this Registry returns after it.
type Registry struct {
	bucket *state.Bucket
	seal   *sealer
	log    *slog.Logger
	done   <-chan struct{} // of Open's context: the view stands still

	view atomic.Pointer[view]

	// deleting lets one key be deleted at a time, or the root account's last two
	// could go at once.
	deleting sync.Mutex

	mu      sync.Mutex
	loading *view         // the first view, until it is published; guarded by mu
	moved   chan struct{} // closed, and replaced, when view changes; guarded by mu
}

// Open reads the accounts and follows their changes until ctx ends. It fails
// with ErrMasterKey when the secrets can't be opened.
func Open(ctx context.Context, s *state.Store, o Options) (*Registry, error) {
	r := &Registry{log: o.Log, done: ctx.Done(), loading: newView(), moved: make(chan struct{})}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if err := r.open(ctx, s, o.KeyFile); err != nil {
		return nil, fmt.Errorf("open the accounts: %w", err)
	}
	return r, nil
}

func (r *Registry) open(ctx context.Context, s *state.Store, keyFile string) (err error) {
	if r.bucket, err = s.Bucket(ctx, "accounts"); err != nil {
		return err
	}
	_, err = r.bucket.Get(ctx, rootMark)
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return err
	}
	if r.seal, err = openSealer(keyFile, err != nil); err != nil {
		return err
	}
	var damaged []error // guarded by mu
	if err := r.bucket.Watch(ctx, func(e state.Entry) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.loading == nil {
			r.follow(e)
		} else if err := r.loading.apply(e, r.seal); err != nil {
			damaged = append(damaged, err)
		}
	}); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.view.Store(r.loading)
	r.loading = nil
	return errors.Join(damaged...)
}

// follow publishes a view with one more change. The caller holds mu.
func (r *Registry) follow(e state.Entry) {
	next := r.view.Load().clone()
	if err := next.apply(e, r.seal); err != nil {
		r.log.Error("accounts: a record can't be read", "error", err)
	}
	r.view.Store(next)
	close(r.moved)
	r.moved = make(chan struct{})
}

// await returns when the view has come to the revision: read your writes.
func (r *Registry) await(ctx context.Context, revision uint64) error {
	for {
		r.mu.Lock()
		moved := r.moved
		r.mu.Unlock()
		if r.view.Load().revision >= revision {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		case <-r.done:
			return errors.New("the accounts are closed")
		}
	}
}

// Lookup returns an active key. It takes no lock and allocates nothing.
func (r *Registry) Lookup(accessKeyID string) (Key, bool) {
	k, ok := r.view.Load().keys[accessKeyID]
	if !ok || !k.value.Active {
		return Key{}, false
	}
	return k.value, true
}

// Account returns one account. It takes no lock and allocates nothing.
func (r *Registry) Account(id ID) (Account, bool) {
	a, ok := r.view.Load().accounts[id]
	return a.value, ok
}

// Accounts returns all of them, the oldest first.
func (r *Registry) Accounts() []Account {
	v := r.view.Load()
	all := make([]Account, 0, len(v.accounts))
	for _, a := range v.accounts {
		all = append(all, a.value)
	}
	slices.SortFunc(all, func(a, b Account) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return all
}

// Keys returns an account's keys, the oldest first, without their secrets.
func (r *Registry) Keys(id ID) []Key {
	var all []Key
	for _, k := range r.view.Load().keys {
		if k.value.Account == id {
			k.value.Secret = ""
			all = append(all, k.value)
		}
	}
	slices.SortFunc(all, func(a, b Key) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.AccessKeyID, b.AccessKeyID)
	})
	return all
}
