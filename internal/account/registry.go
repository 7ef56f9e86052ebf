package account

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hearthd/hearth/internal/state"
)

const (
	accountPrefix = "account."
	keyPrefix     = "key."
	rootMark      = "root" // holds the root account's ID
)

// Options configure a [Registry].
type Options struct {
	// KeyFile holds the 32 bytes that secrets are sealed with; it is made when
	// it is not there. Whoever has it and the state has every secret.
	KeyFile string
}

// Registry is the accounts and keys. It is safe for concurrent use.
type Registry struct {
	bucket *state.Bucket
	seal   *sealer

	view atomic.Pointer[view]

	mu    sync.Mutex    // one writer of view at a time
	moved chan struct{} // closed and replaced at every change of view; guarded by mu
}

// view is immutable.
type view struct {
	accounts map[ID]stored[Account]
	keys     map[string]stored[Key]
	root     ID
	seen     uint64 // the newest revision in it
}

type stored[T any] struct {
	value    T
	revision uint64
}

// keyRecord is a key as it stands in state.
type keyRecord struct {
	Sealed  []byte    `json:"sealed"`
	Account ID        `json:"account"`
	Active  bool      `json:"active"`
	Created time.Time `json:"created"`
}

// Open reads the accounts and follows their changes until ctx ends.
func Open(ctx context.Context, s *state.Store, o Options) (*Registry, error) {
	seal, err := openSealer(o.KeyFile)
	if err != nil {
		return nil, err
	}
	bucket, err := s.Bucket(ctx, "accounts")
	if err != nil {
		return nil, err
	}
	r := &Registry{bucket: bucket, seal: seal, moved: make(chan struct{})}
	r.view.Store(&view{accounts: map[ID]stored[Account]{}, keys: map[string]stored[Key]{}})
	var damaged error
	if err := bucket.Watch(ctx, func(e state.Entry) {
		if err := r.apply(e); err != nil {
			damaged = errors.Join(damaged, err)
		}
	}); err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	return r, damaged
}

// apply brings one change into the view.
func (r *Registry) apply(e state.Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.view.Load()
	next := &view{accounts: maps.Clone(old.accounts), keys: maps.Clone(old.keys), root: old.root, seen: e.Revision}
	err := next.change(e, r.seal)
	r.view.Store(next)
	close(r.moved)
	r.moved = make(chan struct{})
	return err
}

func (v *view) change(e state.Entry, seal *sealer) error {
	switch {
	case e.Key == rootMark:
		v.root = ID(e.Value)
	case strings.HasPrefix(e.Key, accountPrefix):
		id := ID(e.Key[len(accountPrefix):])
		if e.Deleted {
			delete(v.accounts, id)
			return nil
		}
		var a Account
		if err := json.Unmarshal(e.Value, &a); err != nil {
			return fmt.Errorf("account %s: %w", id, err)
		}
		v.accounts[id] = stored[Account]{a, e.Revision}
	case strings.HasPrefix(e.Key, keyPrefix):
		id := e.Key[len(keyPrefix):]
		if e.Deleted {
			delete(v.keys, id)
			return nil
		}
		var rec keyRecord
		if err := json.Unmarshal(e.Value, &rec); err != nil {
			return fmt.Errorf("access key %s: %w", id, err)
		}
		secret, err := seal.open(rec.Sealed, id)
		if err != nil {
			return fmt.Errorf("access key %s: %w", id, err)
		}
		v.keys[id] = stored[Key]{Key{AccessKeyID: id, Secret: secret, Account: rec.Account, Active: rec.Active, Created: rec.Created}, e.Revision}
	}
	return nil
}

// await returns when the view has seen the revision: read your writes.
func (r *Registry) await(ctx context.Context, revision uint64) error {
	for {
		r.mu.Lock()
		moved := r.moved
		r.mu.Unlock()
		if r.view.Load().seen >= revision {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Lookup returns an active key. It takes no lock and allocates nothing.
func (r *Registry) Lookup(accessKeyID string) (Key, bool) {
	k, ok := r.view.Load().keys[accessKeyID]
	return k.value, ok && k.value.Active
}

// Account returns one account.
func (r *Registry) Account(id ID) (Account, bool) {
	a, ok := r.view.Load().accounts[id]
	return a.value, ok
}

// Accounts returns all of them, by the time they were created.
func (r *Registry) Accounts() []Account {
	var all []Account
	for _, a := range r.view.Load().accounts {
		all = append(all, a.value)
	}
	slices.SortFunc(all, func(a, b Account) int { return a.Created.Compare(b.Created) })
	return all
}

// Keys returns an account's keys, by the time they were created, without their
// secrets.
func (r *Registry) Keys(id ID) []Key {
	var all []Key
	for _, k := range r.view.Load().keys {
		if k.value.Account == id {
			k.value.Secret = ""
			all = append(all, k.value)
		}
	}
	slices.SortFunc(all, func(a, b Key) int { return a.Created.Compare(b.Created) })
	return all
}

// EnsureRoot returns the root account and one of its keys, making both at the
// first start.
func (r *Registry) EnsureRoot(ctx context.Context) (_ Account, _ Key, created bool, err error) {
	v := r.view.Load()
	if v.root == "" {
		id, err := newID()
		if err != nil {
			return Account{}, Key{}, false, err
		}
		// The mark is written first and once; all after it can be done again.
		if rev, err := r.bucket.Create(ctx, rootMark, []byte(id)); err == nil {
			created = true
			if err := r.await(ctx, rev); err != nil {
				return Account{}, Key{}, false, err
			}
		} else if !errors.Is(err, state.ErrExists) {
			return Account{}, Key{}, false, err
		}
		v = r.view.Load()
	}
	a, ok := r.Account(v.root)
	if !ok {
		a = Account{ID: v.root, Name: "root", Root: true, Created: time.Now().UTC(), Concurrency: DefaultConcurrency, CodeStorageBytes: DefaultCodeStorage}
		if err := r.putAccount(ctx, a, 0); err != nil {
			return Account{}, Key{}, false, err
		}
	}
	for _, k := range r.Keys(a.ID) {
		if full, ok := r.Lookup(k.AccessKeyID); ok {
			return a, full, created, nil
		}
	}
	k, err := r.CreateKey(ctx, a.ID)
	return a, k, created, err
}

// Create makes an account with its first key.
func (r *Registry) Create(ctx context.Context, name string) (Account, Key, error) {
	if !namePattern.MatchString(name) {
		return Account{}, Key{}, fmt.Errorf("%w account name %q: 1 to 64 letters, digits, spaces or ._@-, beginning with a letter or digit", ErrInvalid, name)
	}
	for _, a := range r.Accounts() {
		if a.Name == name {
			return Account{}, Key{}, fmt.Errorf("%w: %s", ErrExists, name)
		}
	}
	id, err := newID()
	if err != nil {
		return Account{}, Key{}, err
	}
	a := Account{ID: id, Name: name, Created: time.Now().UTC(), Concurrency: DefaultConcurrency, CodeStorageBytes: DefaultCodeStorage}
	if err := r.putAccount(ctx, a, 0); err != nil {
		return Account{}, Key{}, err
	}
	k, err := r.CreateKey(ctx, id)
	return a, k, err
}

// putAccount stores an account that is at the revision, 0 for a new one.
func (r *Registry) putAccount(ctx context.Context, a Account, revision uint64) error {
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	var rev uint64
	if revision == 0 {
		rev, err = r.bucket.Create(ctx, accountPrefix+string(a.ID), b)
	} else {
		rev, err = r.bucket.Update(ctx, accountPrefix+string(a.ID), b, revision)
	}
	if err != nil {
		return fmt.Errorf("account %s: %w", a.ID, err)
	}
	return r.await(ctx, rev)
}

// SetConcurrency sets how many invocations of the account may run at once.
func (r *Registry) SetConcurrency(ctx context.Context, id ID, n int) error {
	if n < 1 {
		return fmt.Errorf("%w concurrency %d: at least 1", ErrInvalid, n)
	}
	for {
		a, ok := r.view.Load().accounts[id]
		if !ok {
			return fmt.Errorf("%w: %s", ErrNotFound, id)
		}
		a.value.Concurrency = n
		err := r.putAccount(ctx, a.value, a.revision)
		if !errors.Is(err, state.ErrConflict) {
			return err
		}
		if err := r.await(ctx, a.revision+1); err != nil {
			return err
		}
	}
}

// CreateKey makes another key for an account.
func (r *Registry) CreateKey(ctx context.Context, id ID) (Key, error) {
	if _, ok := r.Account(id); !ok {
		return Key{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	k := Key{AccessKeyID: newAccessKeyID(), Secret: newSecret(), Account: id, Active: true, Created: time.Now().UTC()}
	b, err := json.Marshal(keyRecord{Sealed: r.seal.close(k.Secret, k.AccessKeyID), Account: id, Active: true, Created: k.Created})
	if err != nil {
		return Key{}, err
	}
	rev, err := r.bucket.Create(ctx, keyPrefix+k.AccessKeyID, b)
	if err != nil {
		return Key{}, err
	}
	return k, r.await(ctx, rev)
}

// DeleteKey removes a key; requests signed with it are refused from then on.
func (r *Registry) DeleteKey(ctx context.Context, accessKeyID string) error {
	v := r.view.Load()
	k, ok := v.keys[accessKeyID]
	if !ok {
		return fmt.Errorf("%w: %s", ErrNotFound, accessKeyID)
	}
	if k.value.Account == v.root && len(r.Keys(v.root)) == 1 {
		return ErrLastKey
	}
	if err := r.bucket.Delete(ctx, keyPrefix+accessKeyID, k.revision); err != nil {
		return fmt.Errorf("access key %s: %w", accessKeyID, err)
	}
	return r.await(ctx, k.revision+1)
}

// newID returns twelve random digits, not beginning with 0.
func newID() (ID, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(900_000_000_000))
	if err != nil {
		return "", err
	}
	return ID(fmt.Sprint(100_000_000_000 + n.Int64())), nil
}

func newAccessKeyID() string {
	var b [10]byte
	rand.Read(b[:]) //nolint:errcheck // it never fails
	return "AKIA" + base32.StdEncoding.EncodeToString(b[:])
}

func newSecret() string {
	var b [30]byte
	rand.Read(b[:]) //nolint:errcheck // it never fails
	return base64.StdEncoding.EncodeToString(b[:])
}
