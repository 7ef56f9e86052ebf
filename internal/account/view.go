package account

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/hearthd/hearth/internal/state"
)

// The keys in state.
const (
	rootMark      = "root"     // holds the root account's ID
	namePrefix    = "name."    // a name, encoded, holds the ID of the account that has it
	accountPrefix = "account." // an ID
	keyPrefix     = "key."     // an access key's ID
)

// view is all accounts and keys at one revision. It is immutable once it is
// published.
type view struct {
	root     ID // "" before the first EnsureRoot
	accounts map[ID]stored[Account]
	keys     map[string]stored[Key]
	revision uint64 // of the newest change in it
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

func newView() *view {
	return &view{accounts: map[ID]stored[Account]{}, keys: map[string]stored[Key]{}}
}

func (v *view) clone() *view {
	return &view{root: v.root, accounts: maps.Clone(v.accounts), keys: maps.Clone(v.keys), revision: v.revision}
}

// apply brings one change into a view that is not published yet. A record that
// can't be read is left out.
func (v *view) apply(e state.Entry, seal *sealer) error {
	v.revision = e.Revision
	switch {
	case e.Key == rootMark:
		v.root = ID(e.Value)
	case strings.HasPrefix(e.Key, accountPrefix):
		id := ID(e.Key[len(accountPrefix):])
		delete(v.accounts, id)
		if e.Deleted {
			return nil
		}
		var a Account
		if err := json.Unmarshal(e.Value, &a); err != nil {
			return fmt.Errorf("account %s: %w", id, err)
		}
		v.accounts[id] = stored[Account]{a, e.Revision}
	case strings.HasPrefix(e.Key, keyPrefix):
		id := e.Key[len(keyPrefix):]
		delete(v.keys, id)
		if e.Deleted {
			return nil
		}
		var r keyRecord
		if err := json.Unmarshal(e.Value, &r); err != nil {
			return fmt.Errorf("access key %s: %w", id, err)
		}
		secret, err := seal.open(r.Sealed, id)
		if err != nil {
			return fmt.Errorf("access key %s: %w", id, err)
		}
		v.keys[id] = stored[Key]{Key{AccessKeyID: id, Secret: secret, Account: r.Account, Active: r.Active, Created: r.Created}, e.Revision}
	}
	return nil
}
