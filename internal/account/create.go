package account

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/hearthd/hearth/internal/state"
)

// EnsureRoot returns the root account and one of its keys. It makes both at the
// very first start, which created tells, and whichever is missing at any other.
func (r *Registry) EnsureRoot(ctx context.Context) (_ Account, _ Key, created bool, err error) {
	if created, err = r.markRoot(ctx); err != nil {
		return Account{}, Key{}, false, fmt.Errorf("root account: %w", err)
	}
	id := r.view.Load().root
	a, err := r.ensureRootAccount(ctx, id)
	if err != nil {
		return Account{}, Key{}, false, fmt.Errorf("root account: %w", err)
	}
	for _, k := range r.Keys(id) {
		if k, ok := r.Lookup(k.AccessKeyID); ok {
			return a, k, created, nil
		}
	}
	k, err := r.newKey(ctx, id)
	return a, k, created, err
}

// markRoot decides, once for a state, which account is the root. All that comes
// after it can be done again by whoever finds it missing.
func (r *Registry) markRoot(ctx context.Context) (created bool, err error) {
	if r.view.Load().root != "" {
		return false, nil
	}
	id, err := r.reserve(ctx, rootName)
	if err != nil {
		return false, err
	}
	revision, err := r.bucket.Create(ctx, rootMark, []byte(id))
	if errors.Is(err, state.ErrExists) {
		e, err := r.bucket.Get(ctx, rootMark)
		if err != nil {
			return false, err
		}
		return false, r.await(ctx, e.Revision)
	}
	if err != nil {
		return false, err
	}
	return true, r.await(ctx, revision)
}

func (r *Registry) ensureRootAccount(ctx context.Context, id ID) (Account, error) {
	if a, ok := r.Account(id); ok {
		return a, nil
	}
	a := newAccount(id, rootName)
	a.Root = true
	a, err := r.put(ctx, a, 0)
	if !errors.Is(err, state.ErrExists) {
		return a, err
	}
	// Another node was faster.
	e, err := r.bucket.Get(ctx, accountPrefix+string(id))
	if err == nil {
		err = r.await(ctx, e.Revision)
	}
	a, _ = r.Account(id)
	return a, err
}

// Create makes an account with its first key. It fails with ErrExists when the
// name is taken and with ErrInvalid when it is none.
func (r *Registry) Create(ctx context.Context, name string) (Account, Key, error) {
	if !namePattern.MatchString(name) {
		return Account{}, Key{}, fmt.Errorf("%w account name %q: it must have 1 to 64 letters, digits, spaces or ._@- and begin with a letter or digit", ErrInvalid, name)
	}
	if name == rootName {
		return Account{}, Key{}, fmt.Errorf("%w: %s", ErrExists, name)
	}
	id, err := r.reserve(ctx, name)
	if err != nil {
		return Account{}, Key{}, fmt.Errorf("create account %s: %w", name, err)
	}
	a, err := r.put(ctx, newAccount(id, name), 0)
	if errors.Is(err, state.ErrExists) {
		return Account{}, Key{}, fmt.Errorf("%w: %s", ErrExists, name)
	}
	if err != nil {
		return Account{}, Key{}, fmt.Errorf("create account %s: %w", name, err)
	}
	k, err := r.newKey(ctx, id)
	return a, k, err
}

// reserve returns the ID that goes with a name: a new one or, when the name was
// reserved before, that one. Whoever then creates the account of that ID has the
// name; a node that is killed in between leaves a name that can still be had.
func (r *Registry) reserve(ctx context.Context, name string) (ID, error) {
	id, err := newID()
	if err != nil {
		return "", err
	}
	key := namePrefix + base64.RawURLEncoding.EncodeToString([]byte(name))
	_, err = r.bucket.Create(ctx, key, []byte(id))
	if errors.Is(err, state.ErrExists) {
		e, err := r.bucket.Get(ctx, key)
		return ID(e.Value), err
	}
	return id, err
}

// put stores an account that is at the revision, 0 when it is to be new.
func (r *Registry) put(ctx context.Context, a Account, revision uint64) (Account, error) {
	value, err := json.Marshal(a)
	if err != nil {
		return Account{}, err
	}
	if revision == 0 {
		revision, err = r.bucket.Create(ctx, accountPrefix+string(a.ID), value)
	} else {
		revision, err = r.bucket.Update(ctx, accountPrefix+string(a.ID), value, revision)
	}
	if err != nil {
		return a, err
	}
	return a, r.await(ctx, revision)
}

// newAccount is an account as it begins.
func newAccount(id ID, name string) Account {
	return Account{
		ID: id, Name: name, Created: now(),
		Concurrency: DefaultConcurrency, CodeStorageBytes: DefaultCodeStorage,
	}
}

// newID returns twelve random digits, not beginning with 0.
func newID() (ID, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(900_000_000_000))
	if err != nil {
		return "", err
	}
	return ID(fmt.Sprint(100_000_000_000 + n.Int64())), nil
}

// now has no more digits than JSON shows, and no monotonic clock.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
