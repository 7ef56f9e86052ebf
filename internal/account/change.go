package account

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hearthd/hearth/internal/state"
)

// SetConcurrency sets how many invocations of the account may run at once.
func (r *Registry) SetConcurrency(ctx context.Context, id ID, n int) error {
	if n < 1 {
		return fmt.Errorf("%w concurrency %d: it must be at least 1", ErrInvalid, n)
	}
	for {
		a, ok := r.view.Load().accounts[id]
		if !ok {
			return fmt.Errorf("account %s: %w", id, ErrNotFound)
		}
		a.value.Concurrency = n
		_, err := r.put(ctx, a.value, a.revision)
		if errors.Is(err, state.ErrConflict) {
			// The view is behind: let it come to where the account is now.
			var e state.Entry
			if e, err = r.bucket.Get(ctx, accountPrefix+string(id)); err == nil {
				err = r.await(ctx, e.Revision)
			}
			if err == nil {
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("set concurrency: %w", err)
		}
		return nil
	}
}

// CreateKey makes another key for an account. This is when its secret can be
// read; [Registry.Keys] does not show it again.
func (r *Registry) CreateKey(ctx context.Context, id ID) (Key, error) {
	if _, ok := r.Account(id); !ok {
		return Key{}, fmt.Errorf("account %s: %w", id, ErrNotFound)
	}
	return r.newKey(ctx, id)
}

func (r *Registry) newKey(ctx context.Context, id ID) (Key, error) {
	k := Key{AccessKeyID: newAccessKeyID(), Secret: newSecret(), Account: id, Active: true, Created: now()}
	value, err := json.Marshal(keyRecord{
		Sealed:  r.seal.close(k.Secret, k.AccessKeyID),
		Account: k.Account, Active: k.Active, Created: k.Created,
	})
	if err != nil {
		return Key{}, err
	}
	revision, err := r.bucket.Create(ctx, keyPrefix+k.AccessKeyID, value)
	if err == nil {
		err = r.await(ctx, revision)
	}
	if err != nil {
		return Key{}, fmt.Errorf("create access key: %w", err)
	}
	return k, nil
}

// DeleteKey removes a key; requests signed with it are refused from then on.
// It fails with ErrLastKey for the root account's last one. (Two nodes that
// delete its last two at the same moment both succeed: the next start makes a
// new one.)
func (r *Registry) DeleteKey(ctx context.Context, accessKeyID string) error {
	r.deleting.Lock()
	defer r.deleting.Unlock()
	v := r.view.Load()
	k, ok := v.keys[accessKeyID]
	if !ok {
		return fmt.Errorf("access key %s: %w", accessKeyID, ErrNotFound)
	}
	if k.value.Account == v.root && len(r.Keys(v.root)) == 1 {
		return fmt.Errorf("access key %s: %w", accessKeyID, ErrLastKey)
	}
	err := r.bucket.Delete(ctx, keyPrefix+accessKeyID, k.revision)
	if err != nil && !errors.Is(err, state.ErrConflict) {
		return fmt.Errorf("delete access key: %w", err)
	}
	// A key never changes, so that a conflict means that it is deleted already.
	return r.awaitGone(ctx, accessKeyID)
}

// awaitGone returns when the view has the key no more.
func (r *Registry) awaitGone(ctx context.Context, accessKeyID string) error {
	for {
		v := r.view.Load()
		if _, there := v.keys[accessKeyID]; !there {
			return nil
		}
		if err := r.await(ctx, v.revision+1); err != nil {
			return err
		}
	}
}

// newAccessKeyID looks like one of AWS's long-term keys.
func newAccessKeyID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // it never fails
	return "AKIA" + base32.StdEncoding.EncodeToString(b[:])
}

// newSecret has 40 characters, 240 random bits.
func newSecret() string {
	var b [30]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base64.StdEncoding.EncodeToString(b[:])
}
