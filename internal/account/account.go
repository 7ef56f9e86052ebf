// Package account keeps the accounts of a Hearth and their access keys.
//
//	r, err := account.Open(ctx, store, account.Options{KeyFile: file})
//	root, key, created, err := r.EnsureRoot(ctx)
//	key, ok := r.Lookup(accessKeyID)
//
// An account is the tenant: it owns functions and has limits; an access key
// signs requests in its name (SigV4). Both live in state and in a view in
// memory that every node keeps by watch: [Registry.Lookup], which every request
// needs, never leaves the process.
//
// Secrets are sealed before they reach state, with a master key that is a file
// on the nodes' disks: whoever has only the state, or a backup of it, has no
// secret. All nodes of one state need the same file.
//
// Callers are the API (to verify requests), the invoker (for limits) and the
// native API's account operations.
package account

import (
	"errors"
	"regexp"
	"time"
)

// ID is the 12-digit number of an account, as it stands in every ARN.
type ID string

// The limits that a new account has, Lambda's defaults.
const (
	DefaultConcurrency = 1000
	DefaultCodeStorage = 75 << 30
)

// rootName is the root account's name.
const rootName = "root"

// Account is a tenant.
type Account struct {
	ID      ID        `json:"id"`
	Name    string    `json:"name"`           // nobody else's
	Root    bool      `json:"root,omitempty"` // may manage accounts and see the whole node
	Created time.Time `json:"created"`
	// Concurrency is how many invocations may run at once.
	Concurrency int `json:"concurrency"`
	// CodeStorageBytes is how much all packages may take.
	CodeStorageBytes int64 `json:"codeStorageBytes"`
}

// Key is an access key. Its secret never stands in state or in a log as it is.
type Key struct {
	AccessKeyID string
	Secret      string
	Account     ID
	Active      bool
	Created     time.Time
}

// The errors of a [Registry]; test with errors.Is.
var (
	ErrNotFound = errors.New("no such account or access key")
	ErrExists   = errors.New("there is an account of that name")
	ErrInvalid  = errors.New("invalid")
	// ErrLastKey says that a key is the root account's last one.
	ErrLastKey = errors.New("this is the root account's last key, without which nobody could manage accounts; create another one first")
	// ErrMasterKey says that the master key is missing or not the right one.
	ErrMasterKey = errors.New("master key")
)

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}$`)
